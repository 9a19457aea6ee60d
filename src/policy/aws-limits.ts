/** What AWS accepts where its schemas allow more: checked in policies by line, and once more in what is synthesized. */

/** The only numbers of days that CloudWatch Logs takes. */
export const LOG_DAYS: readonly number[] = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
  3653,
];

/** Fargate: CPU units → least and most memory in MiB, and the step between. */
const FARGATE_MEMORY: Readonly<Record<number, readonly [number, number, number]>> = {
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16_384, 1024],
  4096: [8192, 30_720, 1024],
  8192: [16_384, 61_440, 4096],
  16384: [32_768, 122_880, 8192],
};
/** The smallest size doubles instead. */
const SMALLEST_CPU = 256;
const SMALLEST_MEMORY = [512, 1024, 2048];

export const FARGATE_CPUS: readonly number[] = [
  SMALLEST_CPU,
  ...Object.keys(FARGATE_MEMORY).map(Number),
];

/** The sizes of memory, in MiB and ascending, that go with these CPU units; none for units that are not offered. */
export function fargateMemory(cpu: number): readonly number[] {
  if (cpu === SMALLEST_CPU) return SMALLEST_MEMORY;
  const range = FARGATE_MEMORY[cpu];
  if (!range) return [];
  const [least, most, step] = range;
  return Array.from({ length: (most - least) / step + 1 }, (_, i) => least + i * step);
}

/** Up to cache.r6g.large, 13 GiB (HB-aws-12); ascending. */
export const CACHE_NODE_TYPES: readonly string[] = [
  "cache.t4g.micro",
  "cache.t4g.small",
  "cache.t4g.medium",
  "cache.m6g.large",
  "cache.r6g.large",
];

/** `max_connections` of Aurora PostgreSQL while its least capacity is below one unit. */
export const MOST_WHEN_HALVED = 2000;
const CONNECTIONS_MAX = 5000;
/** A little above AWS's table: 189 at one unit, 823 at 4, 1669 at 8, 3360 at 16. */
const CONNECTIONS_OF_UNIT = 210;

/** What `max_connections` of Aurora PostgreSQL is at most when it may grow to so many capacity units. */
export function connectionsAt(capacityUnits: number): number {
  return Math.min(CONNECTIONS_MAX, Math.floor(capacityUnits * CONNECTIONS_OF_UNIT));
}
