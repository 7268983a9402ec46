// The lines of several processes in one terminal.

import { expect, test } from "vitest";
import { Console } from "../../../services/dev/console.ts";

const LINE = '{"level":"info","time":"2026-01-01T10:00:00.000Z","mode":"worker","event":"log","msg":"hello"}';

function written(format: "json" | "pretty", colour: boolean): { console: Console; text: () => string } {
  let text = "";
  return { console: new Console({ format, colour, write: (more) => (text += more) }), text: () => text };
}

test("for people each process has its name and its colour in front", () => {
  const { console, text } = written("pretty", true);
  console.line("worker-1", LINE);
  console.line("worker-2", LINE);
  console.line("worker-1", LINE);
  const colours = text()
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(0, line.indexOf("w")));
  expect(colours[0]).toBe(colours[2]);
  expect(colours[0]).not.toBe(colours[1]);
  expect(text()).toContain("hello");
});

test("without colours there are none", () => {
  const { console, text } = written("pretty", false);
  console.line("worker-1", LINE);
  expect(text()).toMatch(/^worker-1 10:00:00\.000 info {2}hello\n$/);
});

test("for machines every line is JSON that names its process, whatever the process wrote", () => {
  const { console, text } = written("json", false);
  console.line("worker-1", LINE);
  console.line("worker-1", 'a "plain" line');
  console.line("worker-1", '{"level": broken');
  const lines = text()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map((line) => line["process"])).toEqual(["worker-1", "worker-1", "worker-1"]);
  expect(lines.map((line) => line["msg"])).toEqual(["hello", 'a "plain" line', '{"level": broken']);
});

test("every line of a text has the name in front", () => {
  const { console, text } = written("pretty", false);
  console.line("dev", "Error: x\n    at y");
  expect(text()).toBe("dev      Error: x\ndev          at y\n");
});

test("a shell gets the lines while it is there", () => {
  const { console, text } = written("pretty", false);
  const shell: string[] = [];
  console.redirect((more) => shell.push(more));
  console.plain("one");
  console.redirect();
  console.plain("two");
  expect(shell).toEqual(["one\n"]);
  expect(text()).toBe("two\n");
});
