//! How many invoices become PDFs in a second: `cargo run --release -p drawdown-documents --example speed`.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // run by hand

#[path = "../tests/invoices/mod.rs"]
mod invoices;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use drawdown_documents::{FOLDERS, Fonts, Press};

const WARM_UP: usize = 20;
const FOR: Duration = Duration::from_secs(5);

fn main() {
    let began = Instant::now();
    let press = Press::new(Fonts::find(&FOLDERS.map(PathBuf::from)).unwrap());
    println!("fonts read in {} ms", began.elapsed().as_millis());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for (what, country, lines) in [
        ("of 8 lines, English", "GB", 0),
        ("of 8 lines, Japanese", "JP", 0),
        ("of 8 lines, Arabic", "AE", 0),
        ("of 208 lines", "GB", 200),
    ] {
        let made: Vec<(usize, usize)> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads)
                .map(|thread| {
                    let press = press.clone();
                    scope.spawn(move || {
                        let (mut made, mut bytes, mut began) = (0, 0, Instant::now());
                        for number in 0.. {
                            if number == WARM_UP {
                                (made, began) = (0, Instant::now());
                            }
                            if number > WARM_UP && began.elapsed() > FOR {
                                break;
                            }
                            let name = format!("Customer {thread} {number}");
                            let mut invoice = invoices::long(&name, country, lines);
                            invoice.number = format!("SG-2026-{number:06}");
                            bytes = press.invoice(&invoice).unwrap().len();
                            made += 1;
                        }
                        (made, bytes)
                    })
                })
                .collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        let count: usize = made.iter().map(|(made, _)| made).sum();
        println!(
            "{what}: {} a second on {threads} threads, {} bytes each",
            count as f64 / FOR.as_secs_f64(),
            made[0].1
        );
    }
}
