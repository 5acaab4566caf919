//! Plain async functions as handlers.

use axum::response::Response;
use futures_util::future::BoxFuture;
use tieline::Result;

use super::{Answer, Extract, Request};
use crate::openapi::Operation;

/// An `async fn` whose arguments can be read from a request and whose answer can be sent.
pub trait Handler<Args>: Clone + Send + Sync + 'static {
    /// Reads the arguments in order and runs the function.
    fn call(&self, request: Request) -> BoxFuture<'static, Result<Response>>;

    /// Describes arguments and answer.
    fn describe(operation: &mut Operation<'_>);
}

/// Whether nothing is read after the body.
const fn body_is_last(reads_body: &[bool]) -> bool {
    let mut place = 0;
    while place + 1 < reads_body.len() {
        if reads_body[place] {
            return false;
        }
        place += 1;
    }
    true
}

macro_rules! handlers {
    ($(($($arg:ident),*),)+) => {
        $(
            impl<F, Fut, Out, $($arg),*> Handler<($($arg,)*)> for F
            where
                F: Fn($($arg),*) -> Fut + Clone + Send + Sync + 'static,
                Fut: Future<Output = Result<Out>> + Send,
                Out: Answer,
                $($arg: Extract + 'static,)*
            {
                #[allow(non_snake_case, unused_mut, unused_variables)]
                fn call(&self, mut request: Request) -> BoxFuture<'static, Result<Response>> {
                    const { assert!(body_is_last(&[$($arg::READS_BODY),*]), "the body is read last: make it the last argument") };
                    let handler = self.clone();
                    Box::pin(async move {
                        $(let $arg = $arg::extract(&mut request).await?;)*
                        handler($($arg),*).await?.answer()
                    })
                }

                #[allow(unused_variables)]
                fn describe(operation: &mut Operation<'_>) {
                    $($arg::describe(operation);)*
                    Out::describe(operation);
                }
            }
        )+
    };
}

handlers! {
    (),
    (A),
    (A, B),
    (A, B, C),
    (A, B, C, D),
    (A, B, C, D, E),
    (A, B, C, D, E, G),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_before_another_argument_is_seen() {
        assert!(body_is_last(&[]));
        assert!(body_is_last(&[false, true]));
        assert!(!body_is_last(&[true, false]));
        assert!(!body_is_last(&[true, true]));
    }
}
