/**
 * Who waits for locks and who is granted them, event by event: first come first served among those that nothing held
 * keeps waiting. It keeps lists of its own, as plainly as can be, and takes nothing from `domain/`.
 */
import type { Event } from "#domain/Event.ts"
import type { Lock, Waiter } from "#domain/Locks.ts"

interface Place {
  held: ReadonlyArray<Lock>
  waiting: ReadonlyArray<Waiter>
}

export class GrantWalk {
  private readonly places = new Map<number, Place>()

  /** The events of one command. Why they grant the wrong one, if they do. */
  walk(events: ReadonlyArray<Event>): string | undefined {
    let problem: string | undefined
    for (const [index, event] of events.entries()) {
      // Only the first of those that are granted together: the ones behind it come in rounds.
      const before = events[index - 1]
      const isFirst = before?._tag !== "LockGranted" || event._tag !== "LockGranted" || before.inode !== event.inode
      if (event._tag === "LockGranted" && isFirst) problem ??= this.passedOver(event)
      this.apply(event)
    }
    return problem
  }

  private passedOver({ inode, request, session }: Event & { readonly _tag: "LockGranted" }): string | undefined {
    const { held, waiting } = this.of(inode)
    const first = waiting.find((waiter) => held.every((lock) => !inTheWay(lock, waiter)))
    if (first === undefined) return `inode ${inode}: request ${request} is granted a lock that is not free`
    if (first.session === session && first.request === request) return undefined
    return `inode ${inode}: request ${request} of session ${session} is granted its lock before request ` +
      `${first.request} of session ${first.session}, which came earlier and waits for nothing any more`
  }

  private apply(event: Event): void {
    switch (event._tag) {
      case "LockAcquired": {
        const place = this.of(event.inode)
        place.held = [...without(place.held, event.lock), event.lock]
        return
      }
      case "LockReleased": {
        const place = this.of(event.inode)
        place.held = without(place.held, event.lock)
        return
      }
      case "LockAwaited": {
        const place = this.of(event.inode)
        place.waiting = [...place.waiting, event.waiter]
        return
      }
      case "LockGranted":
      case "LockAbandoned": {
        const place = this.of(event.inode)
        const isIt = ({ request, session }: Waiter): boolean => session === event.session && request === event.request
        const granted = place.waiting.find(isIt)
        place.waiting = place.waiting.filter((waiter) => !isIt(waiter))
        if (event._tag === "LockGranted" && granted !== undefined) {
          place.held = [...without(place.held, granted), granted]
        }
        return
      }
      case "SessionEnded": {
        const isOthers = ({ session }: Lock): boolean => session !== event.session
        for (const place of this.places.values()) {
          place.held = place.held.filter(isOthers)
          place.waiting = place.waiting.filter(isOthers)
        }
        return
      }
      default:
        return
    }
  }

  private of(inode: number): Place {
    let place = this.places.get(inode)
    if (place === undefined) this.places.set(inode, place = { held: [], waiting: [] })
    return place
  }
}

const isSameOwner = (a: Lock, b: Lock): boolean =>
  a.family === b.family && a.session === b.session && a.owner === b.owner

const meets = (a: Lock, b: Lock): boolean => a.start <= b.end && b.start <= a.end

const inTheWay = (held: Lock, wanted: Lock): boolean =>
  held.family === wanted.family && !isSameOwner(held, wanted) && meets(held, wanted) &&
  (held.type === "write" || wanted.type === "write")

/** What is left of the locks when an owner's range is taken out. */
const without = (locks: ReadonlyArray<Lock>, range: Lock): ReadonlyArray<Lock> =>
  locks.flatMap((lock) => {
    if (!isSameOwner(lock, range) || !meets(lock, range)) return lock
    const before = lock.start < range.start ? [{ ...lock, end: range.start - 1 }] : []
    return lock.end > range.end ? [...before, { ...lock, start: range.end + 1 }] : before
  })
