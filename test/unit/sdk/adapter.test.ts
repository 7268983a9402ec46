// What an adapter can do, in the words that routes use.

import { expect, test } from "vitest";
import { capabilitiesOf, type Caps } from "../../../services/sdk/adapter.ts";

const nothing: Caps = {
  threads: false,
  edit: false,
  delete: false,
  react: false,
  upload: false,
  typing: false,
  topic: false,
  join: false,
  ephemeral: false,
  buttons: false,
  modals: false,
  history: false,
  lookup: false,
  maxText: 350,
  maxTextUnit: "bytes",
  markup: "plain",
};

test("capabilities follow from what the adapter declares", () => {
  expect([...capabilitiesOf(nothing)]).toEqual([]);
  expect([...capabilitiesOf({ ...nothing, topic: true, join: true })]).toEqual(["topic", "join"]);
  const all = {
    threads: true,
    edit: true,
    react: true,
    topic: true,
    join: true,
    buttons: true,
    modals: true,
    upload: true,
  };
  expect([...capabilitiesOf({ ...nothing, ...all })]).toEqual([
    "thread",
    "edit",
    "react",
    "topic",
    "join",
    "buttons",
    "modal",
    "file",
  ]);
});
