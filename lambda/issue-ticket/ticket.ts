import { createHash } from "node:crypto";

/**
 * How long a ticket is valid. Browsers cannot set headers on a WebSocket, so the ticket is in the address. Addresses
 * are logged, so a ticket is valid for a short time, and once.
 */
export const TICKET_SECONDS = 60;
/** Bytes of randomness in a ticket. */
export const TICKET_BYTES = 32;
/** The form of a ticket: its bytes in base64url. */
export const TICKET = /^[A-Za-z0-9_-]{43}$/;

/** The key under which a ticket is stored: its SHA-256. A reader of the table cannot connect with it. */
export function ticketKey(ticket: string): string {
  return createHash("sha256").update(ticket).digest("hex");
}

/** Whether a stored ticket is still valid: DynamoDB may delete expired items days later. `expiresAt`: epoch seconds. */
export function ticketCounts(expiresAt: number | undefined, nowMs: number): boolean {
  return expiresAt !== undefined && expiresAt * 1_000 > nowMs;
}
