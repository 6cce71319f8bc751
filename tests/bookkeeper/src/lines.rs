//! The lines of an invoice (R12.3): what was used, by account, product, meter, region and tier; adjustments, orders,
//! what coupons paid, and what rounding the lines one by one leaves over.

use crate::BookKeeper;
use crate::currency::Currency;
use crate::exact::Exact;
use std::collections::BTreeMap;

/// What a part of a bill is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartKey {
    /// It joined a later cycle than that of its time of use (R2.4).
    pub is_late: bool,
    pub meter: String,
    pub region: Option<String>,
    /// The tier, from 1, where each tier is priced by itself.
    pub tier: Option<usize>,
}

/// What of a quantity and of a charge belongs together.
#[derive(Clone, Debug, Default)]
pub struct Part {
    pub quantity: Exact,
    pub amount: Exact,
}

pub type Parts = BTreeMap<PartKey, Part>;

/// The open charges of which wallet, cycle (by its end), account and product.
pub type OpenKey = (usize, i64, String, String);

/// The kinds of lines, in their order within one account and product, and at the end of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    Usage,
    Adjustment,
    Order,
    Coupons,
    Rounding,
}

impl LineKind {
    pub fn name(self) -> &'static str {
        match self {
            LineKind::Usage => "usage",
            LineKind::Adjustment => "adjustment",
            LineKind::Order => "order",
            LineKind::Coupons => "coupons",
            LineKind::Rounding => "rounding",
        }
    }
}

#[derive(Clone, Debug)]
pub struct InvoiceLine {
    pub kind: LineKind,
    pub account: Option<String>,
    pub product: Option<String>,
    pub meter: Option<String>,
    pub region: Option<String>,
    pub tier: Option<usize>,
    pub order: Option<String>,
    pub quantity: Option<Exact>,
    pub amount: Exact,
}

impl InvoiceLine {
    pub fn new(kind: LineKind, amount: Exact) -> InvoiceLine {
        InvoiceLine {
            kind,
            account: None,
            product: None,
            meter: None,
            region: None,
            tier: None,
            order: None,
            quantity: None,
            amount,
        }
    }
}

impl BookKeeper {
    /// The lines of these bills, which come to this much without tax: by account and product, usage before what was
    /// late before orders, then by meter, region and tier. Each is rounded by itself.
    pub(crate) fn lines_of(
        &self,
        bills: &[usize],
        net: &Exact,
        currency: Currency,
    ) -> Vec<InvoiceLine> {
        let mut used: BTreeMap<(&str, &str, &PartKey), Part> = BTreeMap::new();
        let mut lines = Vec::new();
        let mut coupons = Exact::zero();
        for position in bills {
            let bill = &self.bills[*position];
            coupons += &(&bill.net() - &bill.amount);
            if bill.order.is_some() {
                lines.push(InvoiceLine {
                    account: Some(bill.account.clone()),
                    product: Some(bill.product.clone()),
                    order: bill.order.clone(),
                    ..InvoiceLine::new(LineKind::Order, bill.amount.clone())
                });
            }
            for (key, part) in self.bill_parts.get(position).into_iter().flatten() {
                let sum = used.entry((&bill.account, &bill.product, key)).or_default();
                sum.quantity += &part.quantity;
                sum.amount += &part.amount;
            }
        }
        // What came and was taken back is nothing to show.
        used.retain(|_, part| !part.quantity.is_zero() || !part.amount.is_zero());
        for ((account, product, key), part) in used {
            let kind = if key.is_late { LineKind::Adjustment } else { LineKind::Usage };
            let amount = part.amount.round_half_away(currency.places);
            lines.push(InvoiceLine {
                account: Some(account.to_string()),
                product: Some(product.to_string()),
                meter: Some(key.meter.clone()),
                region: key.region.clone(),
                tier: key.tier,
                quantity: Some(part.quantity),
                ..InvoiceLine::new(kind, amount)
            });
        }
        // Orders of one product stay in the order of their bills, usage in that of its keys.
        lines.sort_by(|one, other| {
            let place =
                |line: &InvoiceLine| (line.account.clone(), line.product.clone(), line.kind);
            place(one).cmp(&place(other))
        });
        if !coupons.is_zero() {
            lines.push(InvoiceLine::new(LineKind::Coupons, coupons));
        }
        let shown: Exact = lines.iter().map(|line| &line.amount).sum();
        let rounding = net - &shown;
        if !rounding.is_zero() {
            lines.push(InvoiceLine::new(LineKind::Rounding, rounding));
        }
        lines
    }
}
