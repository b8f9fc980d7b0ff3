//! Personal data: numbers, addresses, dates.

pub(super) mod address_parts;
pub(super) mod announced_address;
pub(super) mod checksums;
pub(super) mod coordinates;
pub(super) mod dates;
pub(super) mod digits;
pub(super) mod email;
pub(super) mod iban;
pub(super) mod id_documents;
pub(super) mod ip_mac;
pub(super) mod national_id_checks;
pub(super) mod national_id_formats;
pub(super) mod national_id_letters;
pub(super) mod national_ids;
pub(super) mod numbers;
pub(super) mod phone;
pub(super) mod street_address;
pub(super) mod wallets;
