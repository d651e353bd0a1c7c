//! The keys of a tree in order, from both ends.

use super::{SumTree, Summary};
use std::iter::FusedIterator;
use std::ops::Range;

/// The keys of a range of places with their counts.
#[derive(Debug)]
pub struct Walk<'a, K, S> {
    tree: &'a SumTree<K, S>,
    at: usize,
    end: usize,
    /// What is left of the leaves at both ends. They may overlap: the places say when it is over.
    front: std::slice::Iter<'a, (K, i64)>,
    back: std::slice::Iter<'a, (K, i64)>,
}

impl<'a, K, S> Walk<'a, K, S> {
    pub(super) fn new(tree: &'a SumTree<K, S>, places: Range<usize>) -> Self {
        Walk { tree, at: places.start, end: places.end, front: [].iter(), back: [].iter() }
    }
}

impl<K, S> Clone for Walk<'_, K, S> {
    fn clone(&self) -> Self {
        let (front, back) = (self.front.clone(), self.back.clone());
        Walk { tree: self.tree, at: self.at, end: self.end, front, back }
    }
}

impl<'a, K: Ord + Clone, S: Summary<K>> Iterator for Walk<'a, K, S> {
    type Item = &'a (K, i64);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        if self.front.len() == 0 {
            let (leaf, at) = self.tree.leaf(self.at)?;
            self.front = leaf[at..].iter();
        }
        self.at += 1;
        self.front.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.at, Some(self.end - self.at))
    }
}

impl<K: Ord + Clone, S: Summary<K>> DoubleEndedIterator for Walk<'_, K, S> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        if self.back.len() == 0 {
            let (leaf, at) = self.tree.leaf(self.end - 1)?;
            self.back = leaf[..=at].iter();
        }
        self.end -= 1;
        self.back.next_back()
    }
}

impl<K: Ord + Clone, S: Summary<K>> ExactSizeIterator for Walk<'_, K, S> {}
impl<K: Ord + Clone, S: Summary<K>> FusedIterator for Walk<'_, K, S> {}
