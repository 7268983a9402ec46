// Charts of what there is to do and what is done, of one queue or of all, from the snapshots that the bus has told.

import type { JSX } from "preact";
import type { QueueNow, Snapshot } from "../admin/api.ts";
import { Chart } from "./chart.tsx";
import { count, duration, rate } from "./format.ts";
import { snapshots } from "./live.ts";
import { Panel } from "./parts.tsx";
import { useStore } from "./store.ts";

/** What a queue and the sum of all have in common. */
type Figures = QueueNow | Snapshot["totals"];

/** Of one queue; nothing where no snapshot has it. */
export function QueueCharts({ name }: { name: string }): JSX.Element | null {
  const past = useStore(snapshots);
  const rows = past.map(({ queues }) => queues.find((queue) => queue.name === name));
  if (rows.every((row) => row === undefined)) return null;
  return <Charts past={past} rows={rows} />;
}

/** `rows`: of each snapshot. */
export function Charts(of: { past: readonly Snapshot[]; rows: readonly (Figures | undefined)[] }): JSX.Element {
  const times = of.past.map(({ at }) => Date.parse(at) / 1000);
  const values = (value: (row: Figures) => number | null) =>
    of.rows.map((row) => (row === undefined ? null : value(row)));
  return (
    <div class="charts">
      <Panel title="Throughput">
        <Chart
          label="Deliveries per second"
          times={times}
          format={rate}
          lines={[
            { name: "finished", paint: "good", filled: true, values: values((row) => row.finishedPerSecond) },
            { name: "arrive", paint: "accent", values: values((row) => row.arrivalsPerSecond) },
            { name: "fail", paint: "bad", values: values((row) => row.failedPerSecond) },
          ]}
        />
      </Panel>
      <Panel title="Backlog">
        <Chart
          label="Deliveries that wait and run"
          times={times}
          format={(value) => count(Math.round(value * 10) / 10)}
          lines={[
            { name: "waiting", paint: "accent", filled: true, values: values((row) => row.ready) },
            { name: "running", paint: "good", values: values((row) => row.claimed) },
          ]}
        />
      </Panel>
      <Panel title="Latency">
        <Chart
          label="Age of the oldest that waits, and how long a run takes"
          times={times}
          format={duration}
          lines={[
            { name: "oldest waiting", paint: "warn", filled: true, values: values((row) => row.oldestMs) },
            { name: "mean run", paint: "accent", values: values((row) => row.meanRunMs) },
          ]}
        />
      </Panel>
    </div>
  );
}
