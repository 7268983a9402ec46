// The id of a trace, and a link to where it is shown when the settings say where that is.

import type { JSX } from "preact";
import { Copy } from "./parts.tsx";

const PLACE = document.querySelector<HTMLMetaElement>('meta[name="trace-url"]')?.content ?? "";

export function Trace({ id }: { id: string }): JSX.Element {
  return (
    <span class="row">
      {PLACE === "" ? (
        <code class="clip" title={id}>
          {id}
        </code>
      ) : (
        <a
          class="mono clip"
          href={PLACE.replaceAll("{trace}", encodeURIComponent(id))}
          target="_blank"
          rel="noreferrer"
          title={id}
        >
          {id}
        </a>
      )}
      <Copy text={id} what="trace id" />
    </span>
  );
}

/** `00-<trace>-<span>-<flags>`. */
export function traceOf(parent: string): string {
  return parent.split("-")[1] ?? parent;
}
