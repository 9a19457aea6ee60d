/** RDS: the Aurora cluster of ours, and its snapshots. */
import { Fault } from "../base/fault.js";
import type { AwsReader, AwsWriter, DatabaseClusterView } from "../runbook/aws-port.js";
import { type AwsGround, pages, send } from "./aws-clients.js";
import { missingIn } from "./aws-names.js";

export function createRds(
  ground: AwsGround,
): Pick<AwsReader, "databaseCluster" | "snapshots"> & Pick<AwsWriter, "createSnapshot"> {
  return {
    databaseCluster: async () => viewOf(await describeCluster(ground)),
    snapshots: (max) => readSnapshots(ground, max),
    createSnapshot: ({ id }) => createSnapshot(ground, id),
  };
}

/** Throws a refused Fault `AWS_NOT_FOUND`. */
export async function describeCluster(ground: AwsGround) {
  const { DescribeDBClustersCommand } = await import("@aws-sdk/client-rds");
  const id = ground.place().databaseCluster;
  const command = new DescribeDBClustersCommand({ DBClusterIdentifier: id });
  const [cluster] = (await send(ground, "rds", command, { target: id })).DBClusters ?? [];
  if (cluster === undefined) throw missingIn(`database cluster ${id}`, []);
  return cluster;
}

type Cluster = Awaited<ReturnType<typeof describeCluster>>;

function viewOf(cluster: Cluster): DatabaseClusterView {
  const members = (cluster.DBClusterMembers ?? []).map((member) => ({
    id: member.DBInstanceIdentifier ?? "",
    writer: member.IsClusterWriter ?? false,
    status: member.DBClusterParameterGroupStatus ?? "unknown",
  }));
  const hasReaders = members.some(({ writer }) => !writer);
  return {
    status: cluster.Status ?? "unknown",
    endpoint: cluster.Endpoint ?? "",
    // AWS names one always; without readers it leads to the writer (HB-aws-11).
    readerEndpoint: hasReaders ? (cluster.ReaderEndpoint ?? null) : null,
    masterUser: cluster.MasterUsername ?? "",
    masterSecret: cluster.MasterUserSecret?.SecretArn ?? null,
    members,
  };
}

async function readSnapshots(ground: AwsGround, max: number) {
  const { DescribeDBClusterSnapshotsCommand } = await import("@aws-sdk/client-rds");
  const id = ground.place().databaseCluster;
  const snapshots = await pages(
    (Marker) =>
      send(
        ground,
        "rds",
        new DescribeDBClusterSnapshotsCommand({
          DBClusterIdentifier: id,
          ...(Marker && { Marker }),
        }),
        { target: id },
      ),
    ({ DBClusterSnapshots, Marker }) => ({ items: DBClusterSnapshots, next: Marker }),
  );
  return snapshots
    .map(({ DBClusterSnapshotIdentifier = "", Status = "unknown", SnapshotCreateTime }) => ({
      ...{ id: DBClusterSnapshotIdentifier, status: Status },
      createdAt: SnapshotCreateTime ?? null,
    }))
    .sort((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))
    .slice(0, max);
}

/** One that is there already by this name is the one that was asked for. */
async function createSnapshot(ground: AwsGround, id: string): Promise<void> {
  const { CreateDBClusterSnapshotCommand } = await import("@aws-sdk/client-rds");
  const DBClusterIdentifier = ground.place().databaseCluster;
  const asked = { DBClusterIdentifier, DBClusterSnapshotIdentifier: id };
  try {
    await send(ground, "rds", new CreateDBClusterSnapshotCommand(asked), { target: id });
  } catch (error) {
    const name = error instanceof Fault ? String(error.details.name) : "";
    if (!name.startsWith("DBClusterSnapshotAlreadyExists")) throw error;
  }
}
