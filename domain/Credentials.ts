/**
 * Whose rights a command is decided with. User 0 holds every capability, as root does on Linux.
 */
export interface Credentials {
  readonly uid: number
  readonly gid: number
  /** Supplementary groups, without any order. */
  readonly groups: ReadonlyArray<number>
}

export const root: Credentials = { uid: 0, gid: 0, groups: [] }

export const isRoot = (who: Credentials): boolean => who.uid === 0

export const inGroup = (who: Credentials, gid: number): boolean => who.gid === gid || who.groups.includes(gid)
