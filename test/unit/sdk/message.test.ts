// Names of rooms.

import { expect, test } from "vitest";
import { splitRoom } from "../../../services/sdk/message.ts";

test("a room is adapter, unit and the service's own id", () => {
  expect(splitRoom("web:lobby")).toEqual({ unit: "web", adapter: "web", id: "lobby" });
  expect(splitRoom("irc/libera:#ops")).toEqual({ unit: "irc/libera", adapter: "irc", id: "#ops" });
  expect(splitRoom("matrix:!a:example.org")).toEqual({ unit: "matrix", adapter: "matrix", id: "!a:example.org" });
});

test("a text without adapter or id names no room", () => {
  for (const text of ["", "lobby", ":lobby", "web:", "irc/:x", "/libera:x", "irc/a/b:x"])
    expect(splitRoom(text)).toBeUndefined();
});
