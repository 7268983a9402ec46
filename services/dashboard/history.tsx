// What became of runs.

import type { JSX } from "preact";
import type { HistoryRow } from "../admin/api.ts";
import { duration } from "./format.ts";
import { Badge, JobLink, RouteLink, type Tone, WorkerLink } from "./parts.tsx";
import { Table } from "./table.tsx";
import { Time } from "./time.tsx";

const TONES: Readonly<Record<string, Tone>> = {
  done: "good",
  dead: "bad",
  failed: "bad",
  retry: "warn",
  discarded: "plain",
};

export function outcomeTone(outcome: string): Tone {
  return TONES[outcome] ?? "plain";
}

/** A worker's id in a queue is its pod and something random. */
export function podOf(wid: string): string {
  return wid.includes(".") ? wid.slice(0, wid.lastIndexOf(".")) : wid;
}

export function History({ rows, one }: { rows: readonly HistoryRow[]; one?: boolean }): JSX.Element {
  return (
    <Table
      label="Runs, the latest first"
      rows={rows}
      keyOf={({ id, at, attempt, outcome }) => `${id} ${at} ${attempt} ${outcome}`}
      empty="No run is known"
      emptyNote="A queue keeps the story of its latest runs only."
      columns={[
        { name: "When", cell: ({ at }) => <Time at={at} /> },
        ...(one === true ? [] : [{ name: "Job", cell: ({ id }: HistoryRow) => <JobLink id={id} short /> }]),
        {
          name: "Route",
          kind: "wide",
          cell: ({ routes, kind }) => (routes.length === 0 ? kind : routes.map((id) => <RouteLink key={id} id={id} />)),
        },
        { name: "Outcome", cell: ({ outcome }) => <Badge tone={outcomeTone(outcome)}>{outcome}</Badge> },
        { name: "Attempt", kind: "wide number", cell: ({ attempt }) => attempt },
        { name: "Took", kind: "number", cell: ({ ms }) => duration(ms) },
        { name: "Effects", kind: "wide number", cell: ({ effects = 0 }) => effects },
        { name: "Worker", kind: "wide", cell: ({ worker }) => <WorkerLink pod={podOf(worker)} /> },
        {
          name: "What it said",
          kind: "wide",
          cell: ({ error, result }) => (
            <span class={error === undefined ? "clip" : "clip bad-text"} title={error ?? result ?? ""}>
              {(error ?? result ?? "").split("\n")[0]}
            </span>
          ),
        },
      ]}
    />
  );
}
