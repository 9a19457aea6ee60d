/**
 * What people may write (raw): one strict schema a file, short human forms, no unions, so that every
 * finding has one place and one reason. What it means is `policy.ts`; the way across is `resolve.ts`.
 */
import type { Static } from "typebox";
import { AdoptionFile, CacheFile, FlagsFile } from "./schema/adoption.js";
import { AlertsFile, MetricsFile } from "./schema/alert.js";
import { InfrastructureFile, ScalingFile } from "./schema/cloud.js";
import { ExceptionsFile } from "./schema/estate.js";
import { MonitoringFile, SilencesFile } from "./schema/monitoring.js";
import { AccessFile, AutomationFile, CatalogueFile, RoutesFile } from "./schema/people.js";
import { HealingFile, RetentionFile, SchedulesFile, WorkersFile } from "./schema/runtime.js";
import { WorkloadFile } from "./schema/workload.js";

/** By section: the name of the file without `.yaml`; `alerts` is a folder of such files. */
export const SECTION_SCHEMAS = {
  access: AccessFile,
  routes: RoutesFile,
  automation: AutomationFile,
  catalogue: CatalogueFile,
  alerts: AlertsFile,
  metrics: MetricsFile,
  workers: WorkersFile,
  healing: HealingFile,
  scaling: ScalingFile,
  retention: RetentionFile,
  schedules: SchedulesFile,
  infrastructure: InfrastructureFile,
  flags: FlagsFile,
  cache: CacheFile,
  adoption: AdoptionFile,
  monitoring: MonitoringFile,
  workload: WorkloadFile,
  silences: SilencesFile,
  exceptions: ExceptionsFile,
} as const;
export type Section = keyof typeof SECTION_SCHEMAS;
export const SECTIONS = Object.keys(SECTION_SCHEMAS) as readonly Section[];

export type RawSection<S extends Section> = Static<(typeof SECTION_SCHEMAS)[S]>;

/** Came after the first landing: an older folder or bundle without them stays valid, and the defaults hold. */
export const OPTIONAL_SECTIONS = [
  "flags",
  "cache",
  "adoption",
  "monitoring",
  "workload",
  "silences",
  "exceptions",
] as const satisfies readonly Section[];
type OptionalSection = (typeof OPTIONAL_SECTIONS)[number];

export function isOptional(section: Section): section is OptionalSection {
  return (OPTIONAL_SECTIONS as readonly Section[]).includes(section);
}

export type RawSet = { readonly [S in Exclude<Section, OptionalSection>]: RawSection<S> } & {
  readonly [S in OptionalSection]?: RawSection<S>;
};
