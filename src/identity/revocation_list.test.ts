/** Which tokens a list of revocations ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Revocation } from "../bus/bus.ts";
import { RevocationList } from "./revocation_list.ts";
import type { TokenFacts } from "./token_verifier.ts";

const NOW = 100;
const token = (own: Partial<TokenFacts>): TokenFacts => ({
  subject: "ann",
  tokenId: undefined,
  roles: [],
  grants: undefined,
  issuedAt: 50,
  acceptedAt: NOW,
  expires: undefined,
  ...own,
});
const subject = (value: string, issuedBefore: number, until = 200): Revocation => ({
  kind: "subject",
  value,
  issuedBefore,
  until,
});

function listOf(...revocations: Revocation[]): RevocationList {
  const list = new RevocationList();
  list.set(revocations, NOW);
  return list;
}

test("a subject's tokens end that were issued before; one without a time of issue always", () => {
  const list = listOf(subject("ann", 60));
  assert.equal(list.has(token({ issuedAt: 59 })), true);
  assert.equal(list.has(token({ issuedAt: 60 })), false);
  assert.equal(list.has(token({ issuedAt: undefined })), true);
  assert.equal(list.has(token({ subject: "bob" })), false);
  assert.equal(listOf().has(token({ issuedAt: undefined })), false);
});

test("of several of a subject, and of all, the latest counts, in any order", () => {
  const all = (issuedBefore: number): Revocation => ({ kind: "all", value: "", issuedBefore, until: 200 });
  for (const list of [
    listOf(subject("ann", 60), subject("ann", 20)),
    listOf(subject("ann", 20), subject("ann", 60)),
    listOf(subject("ann", 20), all(60)),
    listOf(all(20), all(60)),
    listOf(all(60), subject("ann", 20)),
  ]) {
    assert.equal(list.has(token({ issuedAt: 59 })), true);
    assert.equal(list.has(token({ issuedAt: 60 })), false);
  }
});

test("a token ends by its id, whoever's it is and whenever issued; ids and subjects are not mixed up", () => {
  const list = listOf({ kind: "token", value: "7", issuedBefore: 0, until: 200 }, subject("8", 60));
  assert.equal(list.has(token({ tokenId: "7", issuedAt: 90 })), true);
  assert.equal(list.has(token({ tokenId: "8" })), false);
  assert.equal(list.has(token({ subject: "7" })), false);
});

test("what has ended does not count, and a new list replaces the old one", () => {
  const list = listOf(subject("ann", 60, NOW), subject("bob", 60, NOW + 1));
  assert.equal(list.has(token({})), false);
  assert.equal(list.has(token({ subject: "bob" })), true);
  list.set([subject("carl", 60)], NOW);
  assert.equal(list.has(token({ subject: "bob" })), false);
  assert.equal(list.has(token({ subject: "carl" })), true);
});
