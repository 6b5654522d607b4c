/**
 * Every limit of Cadastre's metadata and data model, with the assertions that relate them.
 * It is not configuration: what an operator may set lives in `runners/Configuration.ts`.
 */

const KIB = 1024
const MIB = 1024 * KIB

export const Limits = {
  /** Zones that a cluster may address; the zone number takes the top 10 bits of an inode number. */
  zonesMax: 1024,
  /** Inode and slice numbers one zone may give out in its life. */
  localNumberMax: 2 ** 43 - 1,

  /** Bytes of one name in a directory (Linux NAME_MAX). */
  nameBytesMax: 255,
  /** Bytes of a path without its terminator (Linux PATH_MAX - 1). */
  pathBytesMax: 4095,
  /** Bytes of a symbolic link's target (Linux PATH_MAX - 1). */
  symlinkBytesMax: 4095,
  /** Symbolic links that one path resolution follows before ELOOP (Linux MAXSYMLINKS). */
  symlinkDepthMax: 40,
  /** Hard links to one inode, and subdirectories of one directory. */
  linksMax: 2 ** 31 - 1,
  /** Supplementary groups of one caller (Linux NGROUPS_MAX). */
  groupsMax: 65_536,
  /** Bytes of one file: the largest offset is a safe integer. */
  fileBytesMax: Number.MAX_SAFE_INTEGER,

  /** Bytes of an extended attribute's name (Linux XATTR_NAME_MAX). */
  xattrNameBytesMax: 255,
  /** Bytes of an extended attribute's value (Linux XATTR_SIZE_MAX). */
  xattrValueBytesMax: 64 * KIB,
  /** Bytes of all names of one inode's attributes (Linux XATTR_LIST_MAX). */
  xattrListBytesMax: 64 * KIB,
  /** Entries of one access control list. */
  aclEntriesMax: 1024,

  /** Bytes of one slice: one contiguous write to a file. */
  sliceBytesMax: 64 * MIB,
  /** Bytes of one immutable block in the block store. */
  blockBytesMax: 4 * MIB,
  /** Bytes covered by one stored CRC32C. */
  checksumPieceBytes: 32 * KIB,
  /** Slice numbers that one reservation may take. */
  slicesPerReservationMax: 65_536,
  /** Extents that one write may carry. */
  extentsPerWriteMax: 4096,
  /** Extents that one read or copy may return or move. */
  extentsPerReadMax: 4096,
  /** Unit that collapse and insert of a range must be aligned to, in bytes. */
  rangeAlignmentBytes: 4 * KIB,

  /** Commands in one message from a client to a zone. */
  messageCommandsMax: 4096,
  /** Bytes of one message from a client to a zone. */
  messageBytesMax: 4 * MIB,
  /** Bytes of the replies to one message, after which its further reads are refused with EAGAIN. */
  messageRepliesBytesMax: 16 * MIB,
  /** Commands that a zone decides together and commits in one append. */
  batchCommandsMax: 8192,
  /** Messages that wait in one zone's mailbox before it answers "busy". */
  mailboxMessagesMax: 4096,
  /** Bytes that wait in one zone's mailbox before it answers "busy". */
  mailboxBytesMax: 64 * MIB,
  /** Replies of one session that a zone remembers above the session's floor. */
  repliesPerSessionMax: 65_536,
  /** Sessions that one zone keeps at a time. */
  sessionsPerZoneMax: 65_536,
  /** Ended sessions that a zone remembers, so that a late message cannot revive one. */
  endedSessionsMax: 16_384,
  /** Files that one session may hold open in one zone. */
  opensPerSessionMax: 1_048_576,
  /** Locks, held and awaited, on one inode. */
  locksPerInodeMax: 65_536,
  /** Named snapshots that one zone keeps. */
  snapshotsPerZoneMax: 2048,
  /** Entries that one directory listing returns, and how many if it has their attributes: what takes some milliseconds. */
  listingEntriesMax: 4096,
  listingPlusMax: 2048,
  /** Bytes of names that one directory listing returns. */
  listingBytesMax: 1 * MIB,
  /** Components that one walk resolves. */
  walkComponentsMax: 2048
} as const

const assertions: ReadonlyArray<readonly [string, boolean]> = [
  ["an inode number is a safe integer", Limits.zonesMax * (Limits.localNumberMax + 1) <= 2 ** 53],
  ["a slice is a whole number of blocks", Limits.sliceBytesMax % Limits.blockBytesMax === 0],
  ["a block is a whole number of checksum pieces", Limits.blockBytesMax % Limits.checksumPieceBytes === 0],
  ["a batch holds a whole message", Limits.batchCommandsMax >= Limits.messageCommandsMax],
  ["the mailbox holds several messages", Limits.mailboxBytesMax >= 4 * Limits.messageBytesMax],
  ["a message holds the largest attribute", Limits.messageBytesMax >= 2 * Limits.xattrValueBytesMax],
  [
    "one reply lists all snapshots of a zone",
    Limits.snapshotsPerZoneMax * (Limits.pathBytesMax + Limits.nameBytesMax + 64) <= Limits.messageRepliesBytesMax
  ],
  ["a full window of commands is remembered", Limits.repliesPerSessionMax >= Limits.messageCommandsMax]
]

for (const [fact, holds] of assertions) {
  if (!holds) throw new Error(`domain/Limits.ts: ${fact} no longer holds`)
}
