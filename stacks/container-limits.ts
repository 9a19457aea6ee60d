/** What ECS refuses of a container on Fargate (ECS API reference, ContainerDefinition and HealthCheck). */
import type { JsonObject } from "../src/base/json.js";
import { blocksOf, outside } from "./limit-values.js";

const STOP_S = { min: 2, max: 120 };
const INTERVAL_S = { min: 5, max: 300 };
const TIMEOUT_S = { min: 2, max: 60 };
const RETRIES = { min: 1, max: 10 };
const START_S = { min: 0, max: 300 };

/** Messages about one container of a task definition. */
export function containerTimes({ stopTimeout, healthCheck }: JsonObject): string[] {
  return [
    ...outside("a stop timeout", stopTimeout, STOP_S),
    ...blocksOf(healthCheck).flatMap(({ interval, timeout, retries, startPeriod }) => [
      ...outside("a health check interval", interval, INTERVAL_S),
      ...outside("a health check timeout", timeout, TIMEOUT_S),
      ...outside("a number of retries", retries, RETRIES),
      ...outside("a start period", startPeriod, START_S),
    ]),
  ];
}
