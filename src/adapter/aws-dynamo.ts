/** The row of a service's heartbeat in DynamoDB (HB-aws-13, HB-cli-14): written after a cycle, read consistently. */
import type { AwsReader } from "../runbook/aws-port.js";
import { type AwsGround, send } from "./aws-clients.js";

export interface HeartbeatItem {
  readonly service: string;
  readonly at: Date;
  /** Process that leads. */
  readonly leader: string;
  /** Grows with every cycle of this process. */
  readonly cycle: number;
}

export function createHeartbeats(
  ground: AwsGround,
  table: () => string,
): Pick<AwsReader, "heartbeat"> {
  return { heartbeat: (service) => readHeartbeat(ground, table(), service) };
}

async function readHeartbeat(ground: AwsGround, TableName: string, service: string) {
  const { GetItemCommand } = await import("@aws-sdk/client-dynamodb");
  const Key = { service: { S: service } };
  const command = new GetItemCommand({ TableName, Key, ConsistentRead: true });
  const { Item } = await send(ground, "dynamodb", command, { target: `${TableName}/${service}` });
  const at = new Date(Item?.last_heartbeat?.S ?? Number.NaN);
  if (Number.isNaN(at.getTime())) return null;
  return { at, leader: Item?.leader?.S ?? null };
}

export async function putHeartbeat(
  ground: AwsGround,
  TableName: string,
  { service, at, leader, cycle }: HeartbeatItem,
): Promise<void> {
  const { PutItemCommand } = await import("@aws-sdk/client-dynamodb");
  const Item = {
    service: { S: service },
    last_heartbeat: { S: at.toISOString() },
    leader: { S: leader },
    cycle: { N: String(cycle) },
  };
  const command = new PutItemCommand({ TableName, Item });
  await send(ground, "dynamodb", command, { target: `${TableName}/${service}` });
}
