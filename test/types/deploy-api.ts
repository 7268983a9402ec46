// What the example's author brings along.

export async function push(
  api: string,
  what: { readonly app: string; readonly env: string },
  how: { readonly signal: AbortSignal; readonly idempotencyKey: string },
): Promise<string> {
  return how.signal.aborted ? "" : `${api}/${what.app}/${what.env}#${how.idempotencyKey}`;
}
export async function sendDigest(): Promise<void> {}
export async function connect(api: string): Promise<void> {
  if (api === "") throw new Error("no address");
}
export async function close(): Promise<void> {}
