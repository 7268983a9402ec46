// Jobs, one line each, with a box to choose by for those who may act.

import type { JSX } from "preact";
import type { Job } from "../../admin/api.ts";
import { podOf } from "../history.tsx";
import { hrefOf } from "../link.ts";
import { Badge, QueueLink, RouteLink, type Tone, WorkerLink } from "../parts.tsx";
import { may, session } from "../session.ts";
import { useStore } from "../store.ts";
import { type Column, Table } from "../table.tsx";
import { Time } from "../time.tsx";

export const STATE_TONES: Readonly<Record<Job["state"], Tone>> = {
  waiting: "plain",
  claimed: "good",
  delayed: "accent",
  held: "accent",
  dead: "bad",
  finished: "plain",
};

/** The words of the tabs. */
export function stateName(state: Job["state"]): string {
  return state === "claimed" ? "running" : state;
}

interface JobTableProps {
  readonly jobs: readonly Job[];
  readonly chosen: ReadonlySet<string>;
  readonly choose: (ids: ReadonlySet<string>) => void;
  readonly hasMore: boolean;
}

export function JobTable({ jobs, chosen, choose, hasMore }: JobTableProps): JSX.Element {
  useStore(session);
  const ids = jobs.filter(({ state }) => state !== "finished").map(({ id }) => id);
  const boxes = may("operator") && ids.length > 0 ? [boxColumn({ ids, chosen, choose })] : [];
  return (
    <Table
      label="Jobs found"
      rows={jobs}
      keyOf={({ id, since }) => `${id} ${since}`}
      empty={hasMore ? "Nothing found so far" : "Nothing found"}
      emptyNote={hasMore ? "Only a part was looked at; there is more to look at." : "No delivery fits these filters."}
      columns={[...boxes, ...COLUMNS]}
    />
  );
}

function boxColumn({
  ids,
  chosen,
  choose,
}: Omit<JobTableProps, "jobs" | "hasMore"> & { ids: readonly string[] }): Column<Job> {
  const isAll = ids.every((id) => chosen.has(id));
  const flip = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    choose(next);
  };
  return {
    name: "Choose",
    kind: "check",
    head: (
      <input
        type="checkbox"
        aria-label="Choose all that are shown"
        checked={isAll}
        onChange={() => choose(new Set(isAll ? [] : ids))}
      />
    ),
    cell: ({ id, state }) =>
      state !== "finished" && (
        <input type="checkbox" aria-label={`Choose ${id}`} checked={chosen.has(id)} onChange={() => flip(id)} />
      ),
  };
}

const COLUMNS: readonly Column<Job>[] = [
  {
    name: "Job",
    cell: ({ id }) => (
      <a class="mono" href={hrefOf(["jobs", id])} title={id} data-row>
        {id}
      </a>
    ),
  },
  {
    name: "Route",
    cell: ({ route, kind }) =>
      route === undefined ? <span class="muted">{kind ?? "–"}</span> : <RouteLink id={route} />,
  },
  {
    name: "State",
    cell: ({ state, outcome }) => (
      <Badge tone={outcome === undefined ? STATE_TONES[state] : "plain"}>{outcome ?? stateName(state)}</Badge>
    ),
  },
  { name: "Queue", kind: "wide", cell: ({ queue }) => <QueueLink name={queue} /> },
  { name: "Failures", kind: "wide number", cell: ({ attempts }) => attempts },
  {
    name: "Since",
    kind: "number",
    cell: ({ since, due }) =>
      due === undefined ? (
        <Time at={since} />
      ) : (
        <span>
          due <Time at={due} />
        </span>
      ),
  },
  {
    name: "About",
    kind: "fill",
    cell: ({ reason, excerpt, key, tags, worker }) => (
      <span class="about">
        {worker !== undefined && <WorkerLink pod={podOf(worker)} />}
        {key !== undefined && (
          <code class="clip" title={`key ${key}`}>
            {key}
          </code>
        )}
        {tags.map((tag) => (
          <Badge key={tag}>{tag}</Badge>
        ))}
        {reason !== undefined && (
          <span class="clip bad-text" title={reason}>
            {reason.split("\n")[0]}
          </span>
        )}
        {reason === undefined && excerpt !== undefined && (
          <span class="clip muted mono" title={excerpt}>
            {excerpt}
          </span>
        )}
      </span>
    ),
  },
];
