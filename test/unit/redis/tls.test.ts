import { type AddressInfo, connect } from "node:net";
import { createServer, getCACertificates, type Server, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const certificate = makeCertificate();
const trusted = getCACertificates("default");
let door: Server;
let port = 0;

/** TLS in front of the embedded server, which has none. */
beforeAll(async () => {
  const behind = Number(new URL((await testRedis()).url).port);
  door = createServer(certificate, (socket) => {
    const server = connect(behind, "127.0.0.1");
    socket.pipe(server).pipe(socket);
    socket.on("error", () => server.destroy());
    server.on("error", () => socket.destroy());
    socket.on("close", () => server.destroy());
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  port = (door.address() as AddressInfo).port;
});

afterAll(async () => {
  setDefaultCACertificates(trusted);
  await new Promise((resolve) => door.close(resolve));
});

async function firstStates(url: string): Promise<string> {
  const states: string[] = [];
  const client = openRedis({
    url,
    name: "test",
    purpose: "commands",
    onState: (state, detail = "") => states.push(`${state}: ${detail}`),
  });
  await waitFor(() => states.length >= 2);
  await closeRedis(client);
  return states.join("; ");
}

test("rediss:// refuses a certificate that nobody vouches for", async () => {
  expect(await firstStates(`rediss://localhost:${port}`)).toMatch(/away: .*self-signed/);
});

test("rediss:// speaks TLS to a server whose certificate is trusted, and checks the name in it", async () => {
  setDefaultCACertificates([...trusted, certificate.cert]);
  expect(await firstStates(`rediss://localhost:${port}`)).toMatch(/ready: (Redis|Valkey)/);
  expect(await firstStates(`rediss://127.0.0.1:${port}`)).toMatch(/away: .*does not match certificate/);
});

test("redis:// to a server that speaks TLS is told", async () => {
  expect(await firstStates(`redis://localhost:${port}`)).toContain("away");
});
