/** The parts of an environment, in the order in which they are planned and applied; each reads only from parts before it. */
export const STACK_ORDER = [
  "network",
  "data",
  "registry",
  "identity",
  "cluster",
  "services",
  "delivery",
  "observability",
] as const;
export type StackPart = (typeof STACK_ORDER)[number];
