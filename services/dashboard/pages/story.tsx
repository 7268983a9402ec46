// The story of a delivery in the order of time.

import type { ComponentChildren, JSX } from "preact";
import type { HistoryRow, JobStory } from "../../admin/api.ts";
import { duration } from "../format.ts";
import { outcomeTone, podOf } from "../history.tsx";
import { Badge, type Tone, WorkerLink } from "../parts.tsx";
import { Since, Time } from "../time.tsx";
import { stateName } from "./job-table.tsx";

interface Event {
  readonly key: string;
  readonly tone: Tone;
  readonly what: ComponentChildren;
  readonly at?: string;
  readonly detail?: string;
}

export function Story({ job }: { job: JobStory }): JSX.Element {
  return (
    <ol class="story">
      {eventsOf(job).map(({ key, tone, what, at, detail }) => (
        <li key={key} class={tone}>
          <div class="row">
            <span>{what}</span>
            {at !== undefined && (
              <span class="push note">
                <Time at={at} />
              </span>
            )}
          </div>
          {detail !== undefined && detail !== "" && <pre class="text">{detail}</pre>}
        </li>
      ))}
    </ol>
  );
}

function eventsOf(job: JobStory): Event[] {
  const runs = job.runs.toSorted((a, b) => (a.at < b.at ? -1 : 1));
  const told = new Set(runs.filter(({ error }) => error !== undefined).map(({ attempt }) => attempt));
  const fails = job.errors.filter(({ attempt }) => !told.has(attempt));
  return [
    {
      key: "enqueued",
      tone: "accent",
      what: <>Enqueued{job.by === undefined ? "" : ` by ${job.by}`}</>,
      at: job.enqueuedAt,
    },
    ...fails.map(({ attempt, error }): Event => ({
      key: `fail ${attempt}`,
      tone: "bad",
      what: `Attempt ${attempt} failed`,
      detail: error,
    })),
    ...job.steps.map((step): Event => ({
      key: `step ${step}`,
      tone: "good",
      what: (
        <>
          Step <b>{step}</b> is done
        </>
      ),
    })),
    ...runs.map(runEvent),
    ...endOf(job),
  ];
}

function runEvent({ at, attempt, outcome, ms, worker, error, result, effects = 0 }: HistoryRow): Event {
  return {
    key: `run ${at} ${attempt}`,
    tone: outcomeTone(outcome),
    at,
    what: (
      <>
        <Badge tone={outcomeTone(outcome)}>{outcome}</Badge> attempt {attempt} after {duration(ms)} on{" "}
        <WorkerLink pod={podOf(worker)} />
        {effects > 0 && `, ${effects} effects`}
      </>
    ),
    ...((error ?? result) !== undefined && { detail: error ?? result ?? "" }),
  };
}

function endOf(job: JobStory): Event[] {
  if (job.state === "finished") return [];
  if (job.state === "dead") return [{ key: "end", tone: "bad", what: <b>Dead: it will not run again by itself</b> }];
  const due = job.due !== undefined && (
    <>
      , due <Time at={job.due} />
    </>
  );
  const since = job.state === "waiting" && (
    <>
      , for <Since at={job.enqueuedAt} />
    </>
  );
  return [
    {
      key: "end",
      tone: job.state === "claimed" ? "good" : "plain",
      what: (
        <b>
          Now {stateName(job.state)}
          {due}
          {since}
        </b>
      ),
    },
  ];
}
