// Jobs: deliveries in any state, found by what is known of them, and acted on one by one or all at once.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Job } from "../../admin/api.ts";
import { get } from "../ask.ts";
import { useFetched } from "../fetched.ts";
import { many } from "../format.ts";
import { hrefOf, stay, type PageProps } from "../link.ts";
import { Button, Loaded } from "../parts.tsx";
import { useStore } from "../store.ts";
import { say } from "../toast.tsx";
import { reads } from "../watch.ts";
import { Bulk } from "./bulk.tsx";
import { Filters, filterOf, STATES, type Wanted } from "./filters.tsx";
import { JobTable } from "./job-table.tsx";
import { newJob } from "./job-forms.tsx";

interface Page {
  readonly items: readonly Job[];
  readonly cursor?: string;
}

const LIMIT = 50;
/** Most answers for one click. */
const FURTHER_MAX = 100;

export function Jobs({ place }: PageProps): JSX.Element {
  const wanted = filterOf(place.query);
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const address = JSON.stringify(wanted);
  const tabs = useRef<HTMLElement>(null);
  useEffect(() => {
    choose(new Set());
    // On a phone there is no room for all states at once.
    tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [address]);
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Jobs</h1>
        <div class="row push">
          <Button icon="plus" onClick={() => newJob()}>
            Enqueue
          </Button>
        </div>
      </header>
      <nav ref={tabs} class="tabs" aria-label="States">
        {STATES.map(({ state, name }) => (
          <a
            key={state}
            href={hrefOf(["jobs"], { ...wanted, state })}
            {...((wanted.state ?? "") === state && { "aria-current": "true" as const })}
          >
            {name}
          </a>
        ))}
      </nav>
      <Filters wanted={wanted} change={(filter) => stay(["jobs"], { ...filter })} />
      <Found key={address} wanted={wanted} chosen={chosen} choose={choose} />
    </>
  );
}

interface FoundProps {
  readonly wanted: Wanted;
  readonly chosen: ReadonlySet<string>;
  readonly choose: (ids: ReadonlySet<string>) => void;
}

function Found({ wanted, chosen, choose }: FoundProps): JSX.Element {
  const query = { ...wanted, limit: LIMIT };
  const first = useFetched<Page>("jobs", query);
  const [further, setFurther] = useState<Page | undefined>();
  const [isLooking, setLooking] = useState(false);
  // After an action what was read further is out of date.
  const generation = useStore(reads);
  useEffect(() => setFurther(undefined), [generation]);
  const isShown = useRef(true);
  useEffect(() => () => void (isShown.current = false), []);
  // Each answer is about a small part of what there is, so that nobody else waits for it: it is asked again until there is something.
  const look = async (from: string): Promise<void> => {
    setLooking(true);
    try {
      let page: Page = { items: [], cursor: from };
      for (let asked = 0; asked < FURTHER_MAX && isShown.current; asked++) {
        page = await get<Page>("jobs", { ...query, cursor: page.cursor });
        if (page.items.length > 0 || page.cursor === undefined) break;
      }
      setFurther({ ...page, items: [...(further?.items ?? []), ...page.items] });
    } catch (error) {
      say(String(error), { isBad: true });
    }
    setLooking(false);
  };
  return (
    <Loaded of={first}>
      {(page) => {
        const items = [...new Map([...page.items, ...(further?.items ?? [])].map((job) => [keyOf(job), job])).values()];
        const { cursor } = further ?? page;
        return (
          <>
            <Bulk wanted={wanted} chosen={chosen} done={() => choose(new Set())} isEmpty={items.length === 0} />
            <section class="panel">
              <JobTable jobs={items} chosen={chosen} choose={choose} hasMore={cursor !== undefined} />
              <footer class="row foot-row">
                <span class="note">{many(items.length, "job")} shown</span>
                {cursor !== undefined && (
                  <button type="button" class="push" disabled={isLooking} onClick={() => void look(cursor)}>
                    {isLooking ? "Looking…" : items.length === 0 ? "Look further" : "More"}
                  </button>
                )}
              </footer>
            </section>
          </>
        );
      }}
    </Loaded>
  );
}

/** A finished one is met once for each of its runs. */
function keyOf({ id, since, state }: Job): string {
  return state === "finished" ? `${id} ${since}` : id;
}
