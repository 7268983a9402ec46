// One delivery's whole story: what it is, what it carries, what became of each attempt, and what can be done about it.

import type { ComponentChildren, JSX } from "preact";
import type { JobStory } from "../../admin/api.ts";
import { part, Refusal } from "../ask.ts";
import { useFetched } from "../fetched.ts";
import { pretty } from "../format.ts";
import { History, podOf } from "../history.tsx";
import { hrefOf, type PageProps } from "../link.ts";
import { Badge, Copy, Empty, Loaded, Panel, QueueLink, RouteLink, WorkerLink } from "../parts.tsx";
import { Time } from "../time.tsx";
import { Trace, traceOf } from "../trace.tsx";
import { JobActions } from "./job-actions.tsx";
import { stateName, STATE_TONES } from "./job-table.tsx";
import { Story } from "./story.tsx";

export function JobPage({ place }: PageProps): JSX.Element {
  const id = place.path[1] ?? "";
  const fetched = useFetched<JobStory>(`jobs/${part(id)}`, {}, 2000);
  const isGone = fetched.error instanceof Refusal && fetched.error.status === 404;
  return (
    <>
      <header class="head">
        <p class="crumb">
          <a href={hrefOf(["jobs"])}>Jobs</a>
        </p>
        <h1 tabIndex={-1} class="mono">
          {id}
        </h1>
        <Copy text={id} what="id" />
        {fetched.data && !isGone && (
          <div class="row push">
            <Badge tone={STATE_TONES[fetched.data.state]}>{stateName(fetched.data.state)}</Badge>
            <JobActions job={fetched.data} />
          </div>
        )}
      </header>
      {isGone ? (
        <Empty title="Nothing is known of this delivery">
          It never was, it was deleted, or it finished so long ago that its queue has forgotten it.
        </Empty>
      ) : (
        <Loaded of={fetched}>{(job) => <Shown job={job} />}</Loaded>
      )}
    </>
  );
}

function Shown({ job }: { job: JobStory }): JSX.Element {
  return (
    <>
      {job.reason !== undefined && (
        <Panel title="Why it is dead" class="bad-panel">
          <pre class="text">{job.reason}</pre>
        </Panel>
      )}
      <div class="columns uneven">
        <Panel title="What happened">
          <Story job={job} />
        </Panel>
        <Panel title="What it is">
          <Facts job={job} />
        </Panel>
      </div>
      {job.progress !== undefined && (
        <Panel title="Progress">
          <pre class="text">
            {typeof job.progress === "string" ? job.progress : JSON.stringify(job.progress, null, 2)}
          </pre>
        </Panel>
      )}
      <Panel title="Body" more={job.body === "" ? undefined : <Copy text={job.body} what="body" />}>
        {job.body === "" ? (
          <Empty title="No body">It carries none, or it has finished and only its story is left.</Empty>
        ) : (
          <Text text={pretty(job.body)} label="Body" />
        )}
      </Panel>
      {job.request && (
        <Panel title="Request">
          <Text label="Request" text={requestText(job.request)} />
        </Panel>
      )}
      {job.runs.length > 0 && (
        <Panel title="Runs">
          <History rows={job.runs} one />
        </Panel>
      )}
    </>
  );
}

function requestText({ method, path, headers }: NonNullable<JobStory["request"]>): string {
  return [`${method} ${path}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join("\n");
}

function Text({ text, label }: { text: string; label: string }): JSX.Element {
  return (
    <pre class="text" tabIndex={0} role="region" aria-label={label}>
      {text}
    </pre>
  );
}

function Facts({ job }: { job: JobStory }): JSX.Element {
  const known = [job.traceparent && traceOf(job.traceparent), ...job.runs.map(({ trace }) => trace)];
  const traces = [...new Set(known.filter((id) => id !== undefined))].filter((id) => id !== "");
  const facts: readonly (readonly [string, ComponentChildren])[] = [
    ["Route", <RouteLink key="r" id={job.route} />],
    ["Queue", <QueueLink key="q" name={job.queue} />],
    ["Kind", job.kind],
    [
      "Ordering key",
      job.key === undefined ? undefined : (
        <a key="k" class="mono" href={hrefOf(["jobs"], { queue: job.queue, key: job.key })}>
          {job.key}
        </a>
      ),
    ],
    ["Class", `${job.class}${job.class === 0 ? ", first" : ""}`],
    ["Failures", String(job.attempts)],
    ["Enqueued", <Time key="e" at={job.enqueuedAt} />],
    ["Due", job.due === undefined ? undefined : <Time key="d" at={job.due} />],
    ["Worker", job.worker === undefined ? undefined : <WorkerLink key="w" pod={podOf(job.worker)} />],
    ["Caused by", job.by],
    [
      "Tags",
      job.tags.length === 0
        ? undefined
        : job.tags.map((tag) => (
            <a key={tag} class="item" href={hrefOf(["jobs"], { tag })}>
              <Badge>{tag}</Badge>
            </a>
          )),
    ],
    ["Trace", traces.length === 0 ? undefined : traces.map((id) => <Trace key={id} id={id} />)],
    ...Object.entries(job.meta).filter(([name]) => name !== "traceparent"),
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) =>
        value === undefined ? null : (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ),
      )}
    </dl>
  );
}
