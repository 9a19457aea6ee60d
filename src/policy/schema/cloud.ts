/** What scaling.yaml and infrastructure.yaml may say. */

import { closed, Type } from "../../base/type.js";
import { Estate } from "./estate.js";
import { byName, Duration, Name, PATTERNS, Whole } from "./form.js";

const Service = Type.Object(
  {
    min: Whole(0, 10_000, "Fewest tasks."),
    max: Whole(1, 10_000, "Most tasks."),
    desired: Whole(0, 10_000, "Tasks at the first deployment; later ones leave it alone (X-21)."),
    policies: Type.Optional(
      byName(
        Type.Object(
          {
            metric: Type.Object(
              {
                predefined: Type.Optional(
                  Type.Enum([
                    "ECSServiceAverageCPUUtilization",
                    "ECSServiceAverageMemoryUtilization",
                  ]),
                ),
                custom: Type.Optional(
                  Type.Object(
                    {
                      namespace: Type.String({ minLength: 1 }),
                      name: Type.String({ minLength: 1 }),
                      statistic: Type.Enum(["Average", "Sum", "Maximum"]),
                    },
                    closed,
                  ),
                ),
              },
              { ...closed, minProperties: 1, maxProperties: 1, description: "Exactly one." },
            ),
            target: Type.Number({
              exclusiveMinimum: 0,
              description: "Target tracking holds the metric here.",
            }),
            scaleInCooldown: Duration("Wait after taking tasks away."),
            scaleOutCooldown: Duration("Wait after adding tasks."),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);

export const ScalingFile = Type.Object(
  { api: Service, orchestrator: Service, workers: Service, executor: Type.Optional(Service) },
  closed,
);

const Size = Type.Object(
  {
    cpu: Type.Integer({ minimum: 256, description: "1024 is one vCPU." }),
    memoryMiB: Type.Integer({ minimum: 512 }),
  },
  closed,
);

const ApiSize = Type.Object(
  {
    ...Size.properties,
    target: Type.Optional(
      Type.Object(
        {
          requestsPerSecond: Type.Number({
            exclusiveMinimum: 0,
            description:
              "What the API must carry; where it is missing AR-33 has nothing to compare with.",
          }),
        },
        closed,
      ),
    ),
  },
  closed,
);

export const InfrastructureFile = Type.Object(
  {
    region: Type.String({ pattern: PATTERNS.region }),
    cluster: Name("ECS cluster."),
    namespace: Type.String({
      minLength: 1,
      description: "CloudWatch namespace of our own metrics.",
    }),
    services: Type.Object(
      { api: ApiSize, orchestrator: Size, workers: Size, executor: Type.Optional(Size) },
      closed,
    ),
    exportsBucket: Type.String({ pattern: PATTERNS.bucket }),
    database: Type.Object(
      {
        poolSize: Whole(1, 1000, "Connections of one task."),
        connectionsMax: Whole(10, 100_000, "max_connections of the server."),
        reserve: Whole(0, 10_000, "Kept for migrations, people and the server itself."),
      },
      closed,
    ),
    pinInTask: Type.Optional(
      Type.Boolean({
        description: "Put WORKER_CONCURRENCY_* into the task. Default false: policy is the truth.",
      }),
    ),
    ...Estate.properties,
  },
  closed,
);
