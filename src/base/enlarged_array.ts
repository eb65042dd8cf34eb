/** Copies an array to the beginning of a larger one. @returns the larger one */
export function copied<T extends Int32Array | Float32Array | Float64Array | Uint8Array | Uint16Array>(
  to: T,
  from: T,
): T {
  to.set(from);
  return to;
}
