// Who asks, where the API server of a cluster asks for somebody else: its certificate vouches for the names in its headers.

import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";

/** What the ConfigMap kube-system/extension-apiserver-authentication says of requests that may be believed. */
export interface Trust {
  /** PEM. */
  readonly ca: string;
  /** Common names of certificates; empty: any. */
  readonly names: readonly string[];
  readonly userHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
}

export interface Asker {
  readonly user: string;
  readonly groups: readonly string[];
}

/** Undefined where it does not say whom to trust: then nobody is. */
export function trustOf(data: Readonly<Record<string, unknown>>): Trust | undefined {
  const ca = data["requestheader-client-ca-file"];
  const names = listOf(data["requestheader-allowed-names"]);
  const userHeaders = listOf(data["requestheader-username-headers"]);
  const groupHeaders = listOf(data["requestheader-group-headers"]);
  if (typeof ca !== "string" || !ca.includes("BEGIN CERTIFICATE")) return undefined;
  if (names === undefined || !userHeaders?.length || groupHeaders === undefined) return undefined;
  return { ca, names, userHeaders, groupHeaders };
}

/** JSON: a list of texts. */
function listOf(text: unknown): string[] | undefined {
  try {
    const list: unknown = typeof text === "string" ? JSON.parse(text) : undefined;
    return Array.isArray(list) && list.every((one) => typeof one === "string") ? list : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Undefined: nobody vouches for it, and its headers are not read. The connection must have been made with the `ca` of this
 * same trust.
 */
export function askerOf(request: IncomingMessage, trust: Trust): Asker | undefined {
  const socket = request.socket as TLSSocket;
  if (!socket.authorized) return undefined;
  const name = [socket.getPeerCertificate().subject?.CN].flat()[0];
  if (trust.names.length > 0 && (name === undefined || !trust.names.includes(name))) return undefined;
  const values = (headers: readonly string[]): string[] =>
    headers.map((header) => request.headersDistinct[header.toLowerCase()] ?? []).find((list) => list.length > 0) ?? [];
  const [user] = values(trust.userHeaders);
  return user === undefined || user === "" ? undefined : { user, groups: values(trust.groupHeaders) };
}
