"""What is pushed to us: kept before it is acknowledged, then mapped, judged and projected."""

from mpftconnect.inbox.feeds import Feed, FeedStatus, Sender
from mpftconnect.inbox.header import Header, NotAMessage, header_of
from mpftconnect.inbox.inbox import Inbox, Mapper, Processed, Withheld
from mpftconnect.inbox.listener import Answering
from mpftconnect.inbox.people import Resolution, Resolve
from mpftconnect.inbox.protection import Encrypted, Protection, Unencrypted
from mpftconnect.inbox.reader import FeedReader
from mpftconnect.inbox.sqlite_store import SqliteStore
from mpftconnect.inbox.store import Entry, LinkRow, Projected, Receipt, Store, StoreFailed

__all__ = [
    "Answering",
    "Encrypted",
    "Entry",
    "Feed",
    "FeedReader",
    "FeedStatus",
    "Header",
    "Inbox",
    "LinkRow",
    "Mapper",
    "NotAMessage",
    "Processed",
    "Projected",
    "Protection",
    "Receipt",
    "Resolution",
    "Resolve",
    "Sender",
    "SqliteStore",
    "Store",
    "StoreFailed",
    "Unencrypted",
    "Withheld",
    "header_of",
]
