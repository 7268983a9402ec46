// The admin site as a part of either mode: nothing of it is loaded before somebody asks for it.

import { LazySite, type Site } from "../http/lazy-site.ts";
import type { SiteOptions } from "./site.ts";

export function lazyAdmin(options: SiteOptions): LazySite {
  const load = async (): Promise<Site> => (await import("./site.ts")).openSite(options);
  return new LazySite({ load, basePath: options.config.adminBasePath });
}
