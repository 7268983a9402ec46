// What scenarios are run in: the one cluster of a run, a release for each, and what a cluster must have for some.

import { expect, test } from "vitest";
import type { Cluster } from "./cluster.ts";
import { type Finding, tell } from "./figures.ts";
import { Release, type ReleaseOptions } from "./release.ts";

/** One test; it tells what was found. */
export function scenario(name: string, run: () => Promise<Finding>): void {
  test(name, async () => tell(await run()));
}

/** Without it the scenario is listed at the end of the run, and fails where ANTIPHON_REQUIRE_SERVERS=1 says that all must run. */
export function needs(what: string, isThere: boolean, define: () => void): void {
  if (isThere) return define();
  test(`did not run: ${what}`, ({ task }) => {
    task.meta.missingServer = what;
    expect(process.env["ANTIPHON_REQUIRE_SERVERS"], what).not.toBe("1");
  });
}

/** Installs it, runs this in it, and takes it away; a failure says where the logs are. */
export async function inRelease(
  options: ReleaseOptions,
  run: (release: Release) => Promise<Finding>,
): Promise<Finding> {
  const release = await Release.install(options);
  try {
    const finding = await run(release);
    await release.pods.read();
    const where = finding.problems.length > 0 ? [`logs in ${release.pods.keepLogs()}`] : [];
    return { ...finding, problems: [...finding.problems, ...where] };
  } catch (error) {
    throw await release.explained(error);
  } finally {
    await release.remove();
  }
}

/** A namespace of this scenario alone. */
export function spaceOf(name: string): string {
  return `antiphon-e2e-${name}`;
}

export type Run = (cluster: Cluster) => Promise<Finding>;
