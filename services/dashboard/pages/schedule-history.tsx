// One schedule: what became of its latest runs.

import type { JSX } from "preact";
import type { HistoryRow } from "../../admin/api.ts";
import { part } from "../ask.ts";
import { useFetched } from "../fetched.ts";
import { History } from "../history.tsx";
import { hrefOf, type PageProps } from "../link.ts";
import { Loaded, Panel } from "../parts.tsx";

export function ScheduleHistory({ place }: PageProps): JSX.Element {
  const id = place.path[1] ?? "";
  const fetched = useFetched<{ items: HistoryRow[] }>(`schedules/${part(id)}/history`);
  return (
    <>
      <header class="head">
        <p class="crumb">
          <a href={hrefOf(["cron"])}>Cron</a>
        </p>
        <h1 tabIndex={-1}>{id}</h1>
      </header>
      <Panel title="Latest runs">
        <Loaded of={fetched}>{({ items }) => <History rows={items} />}</Loaded>
      </Panel>
    </>
  );
}
