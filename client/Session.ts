/**
 * A client as the zones know it: its identity, the numbers of its requests, and what it has asked each zone that
 * is not answered yet.
 */
import type { SessionDescriptor } from "#domain/Session.ts"

/** Session numbers are random: 52 bits, so that two clients never meet. */
export const NUMBER_MAX = 2 ** 52

export class ClientSession {
  readonly id: number
  readonly descriptor: SessionDescriptor
  private next = 1
  private readonly zones = new Map<number, { readonly outstanding: Set<number>; known: boolean }>()

  constructor(id: number, descriptor: SessionDescriptor) {
    this.id = id
    this.descriptor = descriptor
  }

  /** Numbers a request to a zone. */
  begin(zone: number): number {
    const number = this.next++
    this.of(zone).outstanding.add(number)
    return number
  }

  /** The request is answered, or given up. */
  finish(zone: number, number: number): void {
    this.of(zone).outstanding.delete(number)
  }

  /** Every request to the zone below this is answered. Requests are numbered in order, so the first is the least. */
  floor(zone: number): number {
    for (const oldest of this.of(zone).outstanding) return oldest
    return this.next
  }

  /** Whether the zone has answered a change of this session. */
  isKnown(zone: number): boolean {
    return this.of(zone).known
  }

  know(zone: number): void {
    this.of(zone).known = true
  }

  /** Zones that keep something for this session. */
  knownZones(): ReadonlyArray<number> {
    return [...this.zones].filter(([, { known }]) => known).map(([zone]) => zone)
  }

  private of(zone: number): { readonly outstanding: Set<number>; known: boolean } {
    let entry = this.zones.get(zone)
    if (entry === undefined) this.zones.set(zone, entry = { outstanding: new Set(), known: false })
    return entry
  }
}
