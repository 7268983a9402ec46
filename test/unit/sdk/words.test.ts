// Words and quotes, also from people who do not mean well.

import { expect, test } from "vitest";
import { wordsOf } from "../../../services/sdk/words.ts";

const texts = (text: string): string[] => wordsOf(text).map((word) => word.text);

test("words are what white space separates", () => {
  expect(texts("  deploy \t api\n prod ")).toEqual(["deploy", "api", "prod"]);
  expect(texts("")).toEqual([]);
  expect(texts(" \u00a0 ")).toEqual([]);
});

test("quotes make one word of several, also the ones that phones type", () => {
  expect(texts('say "hello there" now')).toEqual(["say", "hello there", "now"]);
  expect(texts("say 'hello there'")).toEqual(["say", "hello there"]);
  expect(texts("say “hello there”")).toEqual(["say", "hello there"]);
  expect(texts("say „hallo da“ «bon jour»")).toEqual(["say", "hallo da", "bon jour"]);
  expect(texts('set name ""')).toEqual(["set", "name", ""]);
});

test("an apostrophe inside a word and a quote that is never closed are characters", () => {
  expect(texts("don't touch ann's")).toEqual(["don't", "touch", "ann's"]);
  expect(texts('5" disk and "open')).toEqual(['5"', "disk", "and", '"open']);
});

test("a word knows where it starts", () => {
  expect(wordsOf('a "b c" d').map((word) => word.at)).toEqual([0, 2, 8]);
});

test("a very long hostile text is read in one pass", () => {
  // Were a closing quote searched for again and again, this would take minutes and the test would time out.
  for (const unit of ["“ ", '" ', "'a ", "« „ ", '"a" ', "\u00a0"]) {
    expect(wordsOf(unit.repeat(100_000)).length).toBeLessThanOrEqual(200_000);
  }
});
