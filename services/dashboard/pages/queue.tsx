// One queue: its figures, what holds it back, its keys, what it did lately.

import type { JSX } from "preact";
import type { HistoryRow, Queue } from "../../admin/api.ts";
import { act } from "../act.ts";
import { part } from "../ask.ts";
import { useFetched } from "../fetched.ts";
import { count, duration, rate } from "../format.ts";
import { hrefOf, type PageProps } from "../link.ts";
import { Badge, Button, Figure, Loaded, Panel, RouteLink, WorkerLink } from "../parts.tsx";
import { History } from "../history.tsx";
import { Table } from "../table.tsx";
import { Time } from "../time.tsx";
import { QueueCharts } from "../charts.tsx";
import { Keys } from "./keys.tsx";
import { editLimits, pausePart } from "./queue-forms.tsx";
import { Marks, PauseButton } from "./queues.tsx";

export function QueuePage({ place }: PageProps): JSX.Element {
  const name = place.path[1] ?? "";
  const fetched = useFetched<Queue>(`queues/${part(name)}`, {}, 3000);
  const isOutbox = name.startsWith("outbox/");
  return (
    <>
      <header class="head">
        <p class="crumb">
          <a href={hrefOf(["queues"])}>Queues</a>
        </p>
        <h1 tabIndex={-1}>{name}</h1>
        {fetched.data && (
          <div class="row push">
            <Marks queue={fetched.data} />
            <a class="button" href={hrefOf(["jobs"], { queue: name })}>
              Its jobs
            </a>
            <PauseButton queue={fetched.data} />
          </div>
        )}
      </header>
      <Loaded of={fetched}>
        {(queue) => (
          <>
            <Figures queue={queue} />
            {!isOutbox && <QueueCharts name={name} />}
            <div class="columns">
              <Pauses queue={queue} />
              <Limits queue={queue} />
            </div>
          </>
        )}
      </Loaded>
      <Keys queue={name} />
      {!isOutbox && <Latest name={name} />}
    </>
  );
}

function Figures({ queue }: { queue: Queue }): JSX.Element {
  const jobs = (state: string): string => hrefOf(["jobs"], { state, queue: queue.name });
  return (
    <section class="figures" aria-label="Figures">
      <Figure name="Waiting" value={count(queue.ready)} note={<Oldest queue={queue} />} href={jobs("waiting")} />
      <Figure
        name="Running"
        value={count(queue.claimed)}
        note={queue.meanRunMs === undefined ? "" : `${duration(queue.meanRunMs)} a run`}
        href={jobs("claimed")}
      />
      <Figure name="Delayed" value={count(queue.delayed)} note="due later" href={jobs("delayed")} />
      <Figure name="Held" value={count(queue.held)} note="wait for others" href={jobs("held")} />
      <Figure
        name="Set aside"
        value={count(queue.paused)}
        note="by a pause"
        tone={queue.paused > 0 ? "warn" : "plain"}
      />
      <Figure
        name="Dead"
        value={count(queue.dead)}
        note="failed for good"
        tone={queue.dead > 0 ? "bad" : "plain"}
        href={jobs("dead")}
      />
      <Figure
        name="Arrive"
        value={queue.arrivalsPerSecond === undefined ? "–" : rate(queue.arrivalsPerSecond)}
        note="lately"
      />
      <Figure
        name="Workers"
        value={String(queue.workers.length)}
        note={queue.weights?.map(({ pool, weight }) => `${pool}: weight ${weight}`).join(", ") ?? ""}
        href={hrefOf(["workers"])}
      />
    </section>
  );
}

function Oldest({ queue: { oldestMs, ready } }: { queue: Queue }): JSX.Element {
  return <>{oldestMs === undefined || ready === 0 ? "nothing waits" : `oldest ${duration(oldestMs)}`}</>;
}

function Pauses({ queue }: { queue: Queue }): JSX.Element {
  const more = (
    <Button icon="pause" onClick={() => pausePart(queue.name)}>
      Pause a part
    </Button>
  );
  return (
    <Panel title="Held back" more={more}>
      <Table
        label="Pauses"
        rows={queue.pauses}
        keyOf={({ kind, route = "", key = "" }) => `${kind} ${route} ${key}`}
        empty="Nothing is paused"
        columns={[
          {
            name: "What",
            cell: ({ kind, route, key }) => (
              <>
                {kind === "queue" ? "the whole queue" : `${kind} `}
                {route !== undefined && <RouteLink id={route} />}
                {key !== undefined && <code>{key}</code>}
              </>
            ),
          },
          { name: "Since", cell: ({ since }) => <Time at={since} /> },
          {
            name: "Actions",
            kind: "actions",
            cell: ({ kind, route, key }) => (
              <Button
                icon="play"
                label={`Resume ${route ?? key ?? queue.name}`}
                onClick={() =>
                  act({
                    path: `queues/${part(queue.name)}/resume`,
                    body:
                      kind === "queue"
                        ? {}
                        : { ...(route !== undefined && { route }), ...(key !== undefined && { key }) },
                    done: `${route ?? key ?? queue.name} goes on`,
                  })
                }
              >
                Resume
              </Button>
            ),
          },
        ]}
      />
    </Panel>
  );
}

function Limits({ queue }: { queue: Queue }): JSX.Element {
  const { rate: limit, concurrency } = queue.limits;
  const more = (
    <Button icon="edit" onClick={() => editLimits(queue)}>
      Change
    </Button>
  );
  return (
    <Panel title="Limits and workers" more={more}>
      <dl class="facts">
        <dt>Begin at most</dt>
        <dd>
          {limit === undefined
            ? "no limit"
            : `${limit.limit} per ${limit.per}${limit.burst === undefined ? "" : `, ${limit.burst} at once`}`}
        </dd>
        <dt>Run at most</dt>
        <dd>{concurrency === undefined ? "no limit" : `${concurrency} at a time`}</dd>
        <dt>Served by</dt>
        <dd>
          {queue.workers.length === 0 && <Badge>nobody</Badge>}
          {queue.workers.slice(0, 20).map((pod) => (
            <span key={pod} class="item">
              <WorkerLink pod={pod} />
            </span>
          ))}
        </dd>
      </dl>
    </Panel>
  );
}

function Latest({ name }: { name: string }): JSX.Element {
  const fetched = useFetched<{ items: HistoryRow[] }>(`queues/${part(name)}/history`, { limit: 50 });
  return (
    <Panel
      title="Latest runs"
      more={<a href={hrefOf(["jobs"], { state: "finished", queue: name })}>All that is known</a>}
    >
      <Loaded of={fetched}>{({ items }) => <History rows={items} />}</Loaded>
    </Panel>
  );
}
