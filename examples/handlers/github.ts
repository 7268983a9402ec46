// Webhooks of GitHub, announced in a room. In the repository's settings: content type application/json, events "push" and
// "pull request", and the same secret as here.

import { defineHandler, event } from "antiphon";
import { z } from "zod";

export const Announced = event("github.announced", z.object({ text: z.string() }));

const repository = z.object({ full_name: z.string() });
const sender = z.object({ login: z.string() });
const Push = z.object({
  ref: z.string(),
  created: z.boolean().default(false),
  deleted: z.boolean().default(false),
  forced: z.boolean().default(false),
  compare: z.string(),
  commits: z.array(z.object({ id: z.string(), message: z.string() })),
  repository,
  sender,
});
const PullRequest = z.object({
  action: z.string(),
  pull_request: z.object({
    number: z.number(),
    title: z.string(),
    html_url: z.string(),
    merged: z.boolean().nullish(),
  }),
  repository,
  sender,
});
/** GitHub greets a new webhook with a `ping`; other events are not announced. */
const Other = z.object({ zen: z.string().optional() });

export default defineHandler({
  name: "github",
  config: z.object({
    // This one is for trying out: set ANTIPHON_HANDLER_GITHUB_SECRET.
    secret: z.string().min(1).default("development"),
    room: z.templateLiteral([z.string().min(1), ":", z.string().min(1)]).default("web:lobby"),
  }),
  routes: (r) => ({
    webhook: r.post("/hooks/github", {
      body: z.union([Push, PullRequest, Other]),
      hmac: { header: "x-hub-signature-256", secret: (config) => config.secret },
      dedupe: { header: "x-github-delivery" },
      async run({ body, config, send, emit }) {
        const text = "commits" in body ? pushText(body) : "action" in body ? pullRequestText(body) : undefined;
        if (text === undefined) return;
        await send(config.room, text);
        await emit(Announced, { text });
      },
    }),
  }),
});

const COMMITS_SHOWN = 5;

function pushText({
  ref,
  created,
  deleted,
  forced,
  compare,
  commits,
  repository,
  sender,
}: z.infer<typeof Push>): string {
  const name = ref.replace(/^refs\/heads\//, "").replace(/^refs\/tags\//, "tag ");
  const who = `[${repository.full_name}] ${sender.login}`;
  if (deleted) return `${who} deleted ${name}`;
  if (commits.length === 0) return `${who} ${created ? "created" : "moved"} ${name}`;
  const count = commits.length === 1 ? "1 commit" : `${commits.length} commits`;
  const lines = commits.slice(-COMMITS_SHOWN).map(({ id, message }) => `${id.slice(0, 7)} ${message.split("\n")[0]}`);
  return [`${who} ${forced ? "force-pushed" : "pushed"} ${count} to ${name}`, ...lines, compare].join("\n");
}

const ANNOUNCED = ["opened", "reopened", "closed", "ready_for_review"];

function pullRequestText({
  action,
  pull_request,
  repository,
  sender,
}: z.infer<typeof PullRequest>): string | undefined {
  if (!ANNOUNCED.includes(action)) return undefined;
  const { number, title, html_url, merged } = pull_request;
  const did = action === "closed" && merged ? "merged" : action.replaceAll("_", " ");
  return `[${repository.full_name}] ${sender.login} ${did} pull request #${number}: ${title}\n${html_url}`;
}
