/** Reports that a peer's server listens: one line, for which process_group.ts waits. */

export function listening(port: number): void {
  process.stdout.write(`listening ${port}\n`);
}
