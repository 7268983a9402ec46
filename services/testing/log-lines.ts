// What handlers wrote with `ctx.log`, for tests to read.

import type { Emit, EventFields, Level } from "../telemetry/events.ts";

export interface LogLine {
  readonly level: Level;
  readonly text: string;
  readonly route?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export class Logs {
  readonly lines: LogLine[] = [];

  readonly hear: Emit = (name, fields) => {
    if (name !== "log") return;
    const { level, text, route, fields: more } = fields as EventFields["log"];
    const line = { level, text, ...(route === undefined ? {} : { route }) };
    this.lines.push(more === undefined ? line : { ...line, fields: more });
  };
}
