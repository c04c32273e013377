import type { Admin } from "kafkajs";

/** Says that a consumer group has members, which must be stopped first; null when it has none. */
export async function membersOfGroup(admin: Admin, groupId: string): Promise<string | null> {
  const members = (await admin.describeGroups([groupId])).groups[0]?.members ?? [];
  if (members.length === 0) return null;
  const names = members.map(({ clientId, clientHost }) => `${clientId} at ${clientHost}`).join(", ");
  return `the group ${groupId} has ${members.length} members (${names}): stop all processors first`;
}
