// By what jobs are looked for. The address holds it, so that a search can be sent to a colleague.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

export const STATES = [
  { state: "", name: "All" },
  { state: "waiting", name: "Waiting" },
  { state: "claimed", name: "Running" },
  { state: "delayed", name: "Delayed" },
  { state: "held", name: "Held" },
  { state: "dead", name: "Dead" },
  { state: "finished", name: "Finished" },
] as const;

const FIELDS = [
  { name: "text", label: "Text in the body", hint: "" },
  { name: "queue", label: "Queue", hint: "default" },
  { name: "route", label: "Route", hint: "deploy.ship" },
  { name: "tag", label: "Tag", hint: "" },
  { name: "key", label: "Key", hint: "" },
  { name: "olderThan", label: "Older than", hint: "5m" },
] as const;

type Field = (typeof FIELDS)[number]["name"];
export type Wanted = Readonly<Partial<Record<Field | "state", string>>>;

export function filterOf(query: Readonly<Record<string, string>>): Wanted {
  const names = ["state", ...FIELDS.map(({ name }) => name)] as const;
  return Object.fromEntries(names.flatMap((name) => (query[name] ? [[name, query[name]]] : [])));
}

const TYPING_MS = 350;

interface FiltersProps {
  readonly wanted: Wanted;
  readonly change: (wanted: Wanted) => void;
}

export function Filters({ wanted, change }: FiltersProps): JSX.Element {
  const form = useRef<HTMLFormElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const apply = (): void => {
    clearTimeout(timer.current);
    if (form.current === null) return;
    const words = Object.fromEntries(
      [...new FormData(form.current)].map(([name, value]) => [name, String(value).trim()]),
    );
    change({ ...filterOf(words), ...(wanted.state !== undefined && { state: wanted.state }) });
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  const typed = (): void => {
    clearTimeout(timer.current);
    timer.current = setTimeout(apply, TYPING_MS);
  };
  const clear = (): void => {
    form.current?.reset();
    for (const field of form.current?.querySelectorAll("input") ?? []) field.value = "";
    apply();
  };
  const common = (name: Field, hint: string) => ({
    name,
    defaultValue: wanted[name] ?? "",
    placeholder: hint,
    maxLength: 1024,
    autocomplete: "off",
    spellcheck: false,
    onInput: typed,
  });
  const isFiltered = FIELDS.some(({ name }) => wanted[name] !== undefined);
  return (
    <form
      ref={form}
      class="filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      {FIELDS.map(({ name, label, hint }) => (
        <label key={name} class={name === "text" ? "text-field" : ""}>
          {label}
          {name === "text" ? (
            <input {...common(name, hint)} type="search" data-search="" />
          ) : (
            <input {...common(name, hint)} type="text" />
          )}
        </label>
      ))}
      {isFiltered && (
        <button type="button" class="quiet" onClick={clear}>
          Clear
        </button>
      )}
    </form>
  );
}
