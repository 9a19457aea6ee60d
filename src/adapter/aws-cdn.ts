/** CloudFront: invalidations of what it keeps. */
import { fault } from "../base/fault.js";
import type { AwsReader, AwsWriter } from "../runbook/aws-port.js";
import { type AwsGround, pages, send } from "./aws-clients.js";

export function createCdn(
  ground: AwsGround,
): Pick<AwsReader, "invalidation"> & Pick<AwsWriter, "invalidate"> {
  return {
    invalidation: async (DistributionId, Id) => {
      const { GetInvalidationCommand } = await import("@aws-sdk/client-cloudfront");
      const command = new GetInvalidationCommand({ DistributionId, Id });
      const answer = await send(ground, "cloudfront", command, {
        target: `${DistributionId}/${Id}`,
      });
      return answer.Invalidation?.Status === "Completed" ? "Completed" : "InProgress";
    },
    invalidate: async ({ distribution, paths, reference }) => {
      const { CreateInvalidationCommand } = await import("@aws-sdk/client-cloudfront");
      const command = new CreateInvalidationCommand({
        DistributionId: distribution,
        InvalidationBatch: {
          CallerReference: reference,
          Paths: { Quantity: paths.length, Items: [...paths] },
        },
      });
      const answer = await send(ground, "cloudfront", command, { target: distribution });
      const id = answer.Invalidation?.Id;
      if (id === undefined) throw fault.transient("AWS_ANSWER_INVALID", "it gave no invalidation");
      return id;
    },
  };
}

/** By the name that people call; null: there is none of this name. */
export async function findDistribution(ground: AwsGround, alias: string): Promise<string | null> {
  const { ListDistributionsCommand } = await import("@aws-sdk/client-cloudfront");
  const all = await pages(
    (Marker) =>
      send(ground, "cloudfront", new ListDistributionsCommand({ ...(Marker && { Marker }) }), {
        target: alias,
      }),
    ({ DistributionList: list }) => ({ items: list?.Items, next: list?.NextMarker }),
  );
  return all.find(({ Aliases }) => Aliases?.Items?.includes(alias))?.Id ?? null;
}
