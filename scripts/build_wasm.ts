/**
 * Compiles src/market/changed.wat: `npm run build:wasm`. The result is committed, so that a build does not need this.
 */
import { readFileSync, writeFileSync } from "node:fs";
import wabt from "wabt";

const source = new URL("../src/market/changed.wat", import.meta.url);
const module = (await wabt()).parseWat("changed.wat", readFileSync(source, "utf8"), { simd: true });
const { buffer } = module.toBinary({});
writeFileSync(new URL("../src/market/changed.wasm", import.meta.url), buffer);
process.stdout.write(`changed.wasm: ${buffer.length} bytes\n`);
