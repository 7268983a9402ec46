// ctx.store: JSON values of the run's handler, checked on read, buffered on write.

import { AntiphonError } from "../runtime/errors.ts";
import type { Store } from "../sdk/context.ts";
import type { Out, Schema } from "../sdk/infer.ts";
import { runSchema } from "../sdk/schema.ts";
import { untilAnswered } from "./patience.ts";
import type { RouteRun } from "./route-run.ts";

const KEY_CHARS_MAX = 512;
const VALUE_BYTES_MAX = 256 * 1024;

export function storeOf(run: RouteRun): Store {
  return {
    get: <S extends Schema>(key: string, schema?: S) => run.promised.track(read(run, key, schema)),
    set: (key, value) => {
      const text: string | undefined = JSON.stringify(value);
      if (text === undefined)
        throw new AntiphonError("INPUT_INVALID", `store ${key}: the value is no JSON; use delete.`);
      if (Buffer.byteLength(text) > VALUE_BYTES_MAX) {
        throw new AntiphonError("VALUE_TOO_LARGE", `store ${key}: more than ${VALUE_BYTES_MAX} bytes.`);
      }
      run.store.set(checkedKey(key), text);
    },
    delete: (key) => run.store.set(checkedKey(key), null),
  };
}

async function read<S extends Schema>(run: RouteRun, key: string, schema?: S): Promise<Out<S> | undefined> {
  const text = await untilAnswered(run.underway.patience, () => run.store.get(checkedKey(key)));
  if (text === null) return undefined;
  const value: unknown = JSON.parse(text);
  if (schema === undefined) return value as Out<S>;
  const checked = await runSchema(schema, value);
  if (checked.ok) return checked.value;
  throw new AntiphonError("INPUT_INVALID", `store ${key}: ${checked.issues.join("; ")}`);
}

function checkedKey(key: string): string {
  if (typeof key === "string" && key !== "" && key.length <= KEY_CHARS_MAX) return key;
  throw new AntiphonError("INPUT_INVALID", `A key of the store has 1 to ${KEY_CHARS_MAX} characters.`);
}
