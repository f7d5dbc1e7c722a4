//! What the wordlists know: their products, counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Classifier;

/// A product that signatures name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// What it is called.
    pub name: Arc<str>,
    /// Who makes it, where a signature says so.
    pub vendor: Option<Arc<str>>,
    /// How many signatures name it.
    pub signatures: usize,
    /// How many examples they have.
    pub examples: usize,
    /// What it is: `ftp`, `mail`, `front`, or several of these.
    pub services: Vec<&'static str>,
}

impl Classifier {
    /// Every product that can be named, in the order of the alphabet.
    ///
    /// ```
    /// let products = hailer::classify::Classifier::builtin().products();
    /// let postfix = products.iter().find(|product| &*product.name == "Postfix").unwrap();
    /// assert_eq!(postfix.services, ["mail"]);
    /// ```
    pub fn products(&self) -> Vec<Product> {
        let mut products = BTreeMap::new();
        for (service, list) in [("ftp", &self.ftp), ("mail", &self.mail), ("front", &self.fronts)] {
            for signature in list.signatures() {
                let name = &signature.software;
                let product = products.entry((name.to_lowercase(), Arc::clone(name))).or_insert_with(|| Product {
                    name: Arc::clone(name),
                    vendor: None,
                    signatures: 0,
                    examples: 0,
                    services: Vec::new(),
                });
                product.signatures += 1;
                product.examples += signature.examples.len();
                product.vendor = product.vendor.take().or_else(|| signature.vendor.clone());
                if product.services.last() != Some(&service) {
                    product.services.push(service);
                }
            }
        }
        products.into_values().collect()
    }
}
