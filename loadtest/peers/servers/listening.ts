/** How a peer's server says that it takes connections: one line, which the stage waits for (stage.ts). */

export function listening(port: number): void {
  process.stdout.write(`listening ${port}\n`);
}
