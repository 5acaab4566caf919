//! The shipped connectors, against real servers and twins.

#![allow(clippy::unwrap_used, reason = "in a test a panic is an answer")]

mod account;
mod discord;
mod example;
mod folders;
mod http;
mod library;
mod postgres;
mod rest_api;
mod sign_in;
mod signed;
mod signed_in;
mod slack;
mod smtp;
mod stripe;
mod telegram;
mod woocommerce;
