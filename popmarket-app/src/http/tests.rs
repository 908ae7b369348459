//! The routes as clients use them, on a real ledger in this process.

mod access;
mod bad_input;
mod escrow;
mod escrow_pages;
mod events;
mod evidence;
mod exchange;
mod headers;
mod idempotency;
mod keys;
mod lists;
mod network_page;
mod pages;
mod privacy;
mod purchase;
mod reads;
mod receipts;
mod replicas;
mod roles;
mod server;
mod sessions;
mod signed;
mod treasury;
mod world;
