// A process that starts a local Redis and says so, for tests that kill it. Arguments: folder, and "embedded" to insist on it.

import { startLocalRedis } from "../../../services/redis/local.ts";

const [dataDir = "", kind] = process.argv.slice(2);
const server = await startLocalRedis({
  dataDir,
  embeddedOnly: kind === "embedded",
  onProblem: (detail) => console.log(`problem ${detail}`),
});
process.once("SIGTERM", () => {
  void server.stop().then(() => console.log("stopped"));
});
console.log(`ready ${server.kind} ${server.url}`);
