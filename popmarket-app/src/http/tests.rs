//! The routes as clients use them, on a real ledger in this process.

mod access;
mod bad_input;
mod events;
mod evidence;
mod headers;
mod idempotency;
mod lists;
mod network_page;
mod pages;
mod payments;
mod polls;
mod privacy;
mod purchase;
mod reads;
mod receipts;
mod replicas;
mod server;
mod sessions;
mod signed;
mod webhooks;
mod world;
