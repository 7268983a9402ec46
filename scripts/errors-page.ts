// Writes docs/authors/errors.md from the table of error codes: `node scripts/errors-page.ts`. A test compares.

import { writeFileSync } from "node:fs";
import { ERROR_TABLE, type ErrorRow } from "../services/runtime/errors.ts";

const INTRODUCTION = `<!-- Written by scripts/errors-page.ts from services/runtime/errors.ts. -->

# Errors

Every error of operation has a code. It stands in the log, in the reason of a dead letter, in \`{"error": {"code", "message"}}\` of an HTTP
answer, and in \`error.code\` of what a call on \`ctx\` throws. People in chat never see one: they get a polite line with a number that the log
has too.

A code keeps its meaning; messages may change. So compare codes:

\`\`\`ts
// handlers/careful.ts
import { defineHandler } from "antiphon";

export default defineHandler({
  name: "careful",
  routes: (r) => ({
    tell: r.command("tell <room> <text...>", {
      async run({ args, send }) {
        try {
          await send(args.room as \`\${string}:\${string}\`, args.text);
        } catch (error) {
          if (error instanceof Error && "code" in error && error.code === "ROOM_UNKNOWN") return "There is no such room.";
          throw error;
        }
      },
    }),
  }),
});
\`\`\`

*Passes by itself* means that the same call may succeed later without anybody changing anything. An HTTP answer of 500 has the code
\`INTERNAL\`, which is no row below: it is a fault of Antiphon, and the log has the rest.
`;

export function errorsPage(): string {
  const rows = Object.entries<ErrorRow>(ERROR_TABLE);
  return [INTRODUCTION, ...rows.map(([code, row]) => section(code, row))].join("\n");
}

function section(code: string, { sentence, retryable, remedy }: ErrorRow): string {
  return `## ${code}\n\n${sentence}${retryable ? " *Passes by itself.*" : ""}\n\n${remedy}\n`;
}

if (import.meta.main) writeFileSync(new URL("../docs/authors/errors.md", import.meta.url), errorsPage());
