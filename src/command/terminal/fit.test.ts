import assert from "node:assert/strict";
import { test } from "node:test";
import { TableFit } from "./fit.ts";

const COLUMNS = [
  { title: "name", rank: 0, left: true },
  { title: "price", rank: 1 },
  { title: "seq", rank: 2 },
];
const ROW = ["A", "10.25", "1234567"];

test("columns are as wide as their widest cell has been, and stay so", () => {
  const fit = new TableFit(COLUMNS);
  const columns = fit.fit([ROW], 80);
  assert.equal(fit.titles(columns, 30), "name  price      seq          ");
  assert.equal(fit.line(columns, ROW), "A     10.25  1234567");
  assert.deepEqual(fit.fit([["A", "1", "2"]], 80), columns);
});

test("where there is no room the least wanted go first; the last one is cut", () => {
  const fit = new TableFit(COLUMNS);
  assert.deepEqual(
    fit.fit([ROW], 19).map(([index]) => index),
    [0, 1],
  );
  const narrow = fit.fit([ROW], 3);
  assert.equal(fit.titles(narrow, 3), "na…");
  assert.equal(fit.line(narrow, ["Apple", "", ""]), "Ap…");
});

test("colours do not count as width", () => {
  const fit = new TableFit(COLUMNS);
  const painted = fit.line(fit.fit([ROW], 80), ROW, (text, index) => (index === 1 ? `<${text}>` : text));
  assert.equal(painted, "A     <10.25>  1234567");
});

test("an elastic column has what the others leave", () => {
  const fit = new TableFit([
    { title: "node", rank: 0, left: true },
    { title: "what is wrong", rank: 1, left: true, elastic: true },
    { title: "up", rank: 2 },
  ]);
  const row = ["a", "it reads so slowly that it is far behind", "3 h"];
  const line = (width: number) => fit.line(fit.fit([row], width), row);
  assert.equal(line(80), "a     it reads so slowly that it is far behind  3 h");
  assert.equal(line(50), "a     it reads so slowly that it is far behind", "what is less wanted goes first");
  assert.equal(line(25), "a     it reads so slowly…");
  assert.equal(line(20), "a   ", "what is too short to be read");
});
